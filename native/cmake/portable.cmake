# A toolchain for libraries that load nearly everywhere: glibc 2.17 (2012) and newer, on x86_64 and aarch64, whatever
# machine builds them. The compiler is the one in the Python package ziglang, which carries the symbol versions of every
# glibc.
#
#   cmake -S native -B build/portable/aarch64 --toolchain cmake/portable.cmake -DHETERO_ARCH=aarch64
#
# HETERO_ARCH: x86_64 or aarch64; without it, this machine's.
list(APPEND CMAKE_TRY_COMPILE_PLATFORM_VARIABLES HETERO_ARCH Python3_EXECUTABLE)
set(HETERO_GLIBC 2.17)

if(NOT HETERO_ARCH)
  cmake_host_system_information(RESULT HETERO_ARCH QUERY OS_PLATFORM)
endif()
if(NOT HETERO_ARCH MATCHES "^(x86_64|aarch64)$")
  message(FATAL_ERROR "HETERO_ARCH is '${HETERO_ARCH}': it can be x86_64 or aarch64")
endif()
if(NOT Python3_EXECUTABLE)
  find_program(Python3_EXECUTABLE python3 REQUIRED)
endif()
execute_process(COMMAND ${Python3_EXECUTABLE} -c "import ziglang; print(ziglang.__path__[0])"
                OUTPUT_VARIABLE ZIG OUTPUT_STRIP_TRAILING_WHITESPACE RESULT_VARIABLE FAILED ERROR_QUIET)
if(FAILED)
  message(FATAL_ERROR "${Python3_EXECUTABLE} has no package ziglang, which carries the compiler: pip install ziglang")
endif()

# CMake wants a compiler of one word; and the compiler is to keep its files in build/, not in the user's home.
get_filename_component(TOOLS ${CMAKE_CURRENT_LIST_DIR}/../../build/zig ABSOLUTE)
function(wrap name command)
  set(text "#!/bin/sh\n: \${ZIG_GLOBAL_CACHE_DIR:='${TOOLS}/cache'}\n")
  string(APPEND text "export ZIG_GLOBAL_CACHE_DIR ZIG_LOCAL_CACHE_DIR=\"$ZIG_GLOBAL_CACHE_DIR\"\n")
  file(CONFIGURE OUTPUT ${TOOLS}/${name} CONTENT "${text}exec '${ZIG}/zig' ${command} \"$@\"\n" @ONLY)
  file(CHMOD ${TOOLS}/${name} PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE)
endfunction()
wrap(cc-${HETERO_ARCH} "cc -target ${HETERO_ARCH}-linux-gnu.${HETERO_GLIBC}")
wrap(ar ar)
wrap(ranlib ranlib)

set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR ${HETERO_ARCH})
set(CMAKE_C_COMPILER ${TOOLS}/cc-${HETERO_ARCH})
set(CMAKE_AR ${TOOLS}/ar)
set(CMAKE_RANLIB ${TOOLS}/ranlib)

# What this compiler does otherwise: it checks for undefined behaviour unless it optimises, and keeps frame pointers.
set(CMAKE_C_FLAGS_INIT "-O2 -fno-sanitize=all -fomit-frame-pointer")
