# Which libvgpu.so is installed. A wheel goes to other machines, and its library into containers whose C library is
# older than this machine's, so it carries the portable one where the compiler for it is there. A build by hand installs
# the one of this machine's compiler; the tests of build/native use that one, so both compilers' work is tested. Who wants
# the library alone has chosen the compiler.
set(SHIPPED $<TARGET_FILE:vgpu>)
if(DEFINED SKBUILD AND NOT HETERO_LIBRARY_ONLY)
  execute_process(COMMAND ${Python3_EXECUTABLE} -c "import ziglang" RESULT_VARIABLE NO_ZIGLANG ERROR_QUIET)
  if(NO_ZIGLANG)
    message(STATUS "Without Python's ziglang, this wheel's libvgpu.so needs this machine's glibc or a newer one")
  else()
    set(PORTABLE ${CMAKE_SOURCE_DIR}/../build/portable/${CMAKE_HOST_SYSTEM_PROCESSOR})
    set(SHIPPED ${PORTABLE}/libvgpu.so)
    add_custom_target(portable ALL USES_TERMINAL
      COMMAND ${CMAKE_COMMAND} -S ${CMAKE_SOURCE_DIR} -B ${PORTABLE} -G ${CMAKE_GENERATOR}
              --toolchain ${CMAKE_SOURCE_DIR}/cmake/portable.cmake -DCMAKE_MAKE_PROGRAM=${CMAKE_MAKE_PROGRAM}
              -DHETERO_ARCH=${CMAKE_HOST_SYSTEM_PROCESSOR} -DPython3_EXECUTABLE=${Python3_EXECUTABLE} -Wno-unused-cli
      COMMAND ${CMAKE_COMMAND} --build ${PORTABLE} --target vgpu)
  endif()
endif()
install(PROGRAMS ${SHIPPED} DESTINATION hetero_native/lib)
