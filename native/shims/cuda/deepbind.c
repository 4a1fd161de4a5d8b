/*
 * RTLD_DEEPBIND: an object opened so looks for a function in the libraries that it is linked with before it looks in
 * a preloaded one, so its calls would go round us. Once it is loaded, the places through which it calls (its global
 * offset table) are given the wrappers. Its constructors have run by then: what those call goes to the driver.
 *
 * A place is ours to change when it holds the driver's function; or when it holds nothing yet but the address of its own
 * stub, which would look for the function at the first call, and any other object that looked would find ours.
 */
#include <dlfcn.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <unistd.h>

#include "objects.h"
#include "resolve.h"

#if defined __x86_64__
#define IS_CALL(type) ((type) == R_X86_64_JUMP_SLOT)
#define IS_PLACE(type) (IS_CALL(type) || (type) == R_X86_64_GLOB_DAT || (type) == R_X86_64_64)
#elif defined __aarch64__
#define IS_CALL(type) ((type) == R_AARCH64_JUMP_SLOT)
#define IS_PLACE(type) (IS_CALL(type) || (type) == R_AARCH64_GLOB_DAT || (type) == R_AARCH64_ABS64)
#else
#error "the relocations of this processor are not known here"
#endif

/* What is known of each interception before the objects are walked: the loader may not be asked meanwhile. */
struct names {
	const void *real[INTERCEPTIONS_MOST]; /* NULL: its library is not loaded */
	bool found_as_ours[INTERCEPTIONS_MOST];
};

static _Atomic bool expected;
static _Atomic unsigned long long settled; /* the loader's count of loaded objects when that was last done */

void deepbind_expect(void)
{
	atomic_store(&expected, true);
}

static void look_up(struct names *names)
{
	const bool loaded[] = {[CUDA] = cuda_loaded(), [NVML] = nvml_loaded(), [LOADER] = true};
	for (size_t i = 0; i < interception_count; i++) {
		const struct interception *row = &interceptions[i];
		names->real[i] = loaded[row->library] ? interception_real(row) : NULL;
		names->found_as_ours[i] = loader_real()->dlsym(RTLD_DEFAULT, row->symbol) == row->wrapper;
	}
}

static const ElfW(Phdr) *sealed(const struct dl_phdr_info *object)
{
	for (int i = 0; i < object->dlpi_phnum; i++)
		if (object->dlpi_phdr[i].p_type == PT_GNU_RELRO)
			return &object->dlpi_phdr[i];
	return NULL;
}

/* As glibc does it: a page that the sealed range fills to its end. In one that it ends in, variables may follow. */
static bool is_sealed(const struct dl_phdr_info *object, uintptr_t page, uintptr_t page_size)
{
	const ElfW(Phdr) *header = sealed(object);
	uintptr_t start = header ? object->dlpi_addr + header->p_vaddr : 0;
	return header && page >= (start & ~(page_size - 1)) && page + page_size <= start + header->p_memsz;
}

/* Some of these places were made read-only when the object had been relocated; they become so again. */
static void write_place(const struct dl_phdr_info *object, void **place, void *wrapper)
{
	uintptr_t size = (uintptr_t)sysconf(_SC_PAGESIZE), page = (uintptr_t)place & ~(size - 1);
	bool read_only = is_sealed(object, page, size);
	if (read_only && mprotect((void *)page, size, PROT_READ | PROT_WRITE) != 0)
		return;
	__atomic_store_n(place, wrapper, __ATOMIC_RELEASE);
	if (read_only)
		mprotect((void *)page, size, PROT_READ);
}

/* A call that was never made yet leads to the object's own stub. */
static bool unbound(const struct dl_phdr_info *object, unsigned type, const void *value)
{
	return IS_CALL(type) && object_holds(object, value);
}

static void bind(const struct dl_phdr_info *object, const struct object_tables *tables, const struct names *names,
		 const ElfW(Rela) *relocation)
{
	const ElfW(Sym) *symbol = &tables->symbols[ELF64_R_SYM(relocation->r_info)];
	unsigned type = ELF64_R_TYPE(relocation->r_info);
	if (!IS_PLACE(type) || symbol->st_shndx != SHN_UNDEF || relocation->r_addend)
		return;
	const struct interception *row = interception_of(tables->strings + symbol->st_name);
	if (!row)
		return;
	size_t index = (size_t)(row - interceptions);
	void **place = (void **)(object->dlpi_addr + relocation->r_offset);
	if (*place && (*place == names->real[index] ||
		       (names->found_as_ours[index] && unbound(object, type, *place))))
		write_place(object, place, row->wrapper);
}

static int visit(struct dl_phdr_info *object, size_t size, void *argument)
{
	struct object_tables tables;
	(void)size;
	if (object_is_c_library(object) || object_holds(object, (const void *)&expected) ||
	    !object_read(object, &tables))
		return 0;
	for (size_t i = 0; tables.plt && i < tables.plt_bytes / sizeof *tables.plt; i++)
		bind(object, &tables, argument, &tables.plt[i]);
	for (size_t i = 0; tables.relocations && i < tables.relocations_bytes / sizeof *tables.relocations; i++)
		bind(object, &tables, argument, &tables.relocations[i]);
	return 0;
}

static int read_count(struct dl_phdr_info *object, size_t size, void *argument)
{
	(void)size;
	*(unsigned long long *)argument = object->dlpi_adds;
	return 1;
}

void deepbind_settle(void)
{
	unsigned long long count = 0;
	struct names names;
	if (__builtin_expect(!atomic_load_explicit(&expected, memory_order_relaxed), 1))
		return;
	dl_iterate_phdr(read_count, &count);
	if (count == atomic_load(&settled))
		return;
	look_up(&names);
	dl_iterate_phdr(visit, &names);
	atomic_store(&settled, count);
}
