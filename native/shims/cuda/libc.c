/*
 * The C library's dlsym and dlvsym. This library exports both names, so neither can be called by name here, and their symbol
 * versions differ from one C library to the next. They are found as the dynamic loader finds them: in the symbol
 * tables of the objects that it has loaded.
 */
#include <elf.h>
#include <link.h>
#include <pthread.h>
#include <string.h>

#include "shim.h"

struct wanted {
	const char *name;
	void *address;
};

struct tables {
	const ElfW(Sym) *symbols;
	const char *strings;
	const uint32_t *hash;
};

/* glibc has relocated these pointers in the mapped dynamic section; musl and the vDSO have not. */
static const void *absolute(const struct dl_phdr_info *object, ElfW(Addr) pointer)
{
	return (const void *)(pointer < object->dlpi_addr ? pointer + object->dlpi_addr : pointer);
}

static bool read_tables(const struct dl_phdr_info *object, const ElfW(Dyn) *entry, struct tables *tables)
{
	memset(tables, 0, sizeof *tables);
	for (; entry->d_tag != DT_NULL; entry++) {
		if (entry->d_tag == DT_SYMTAB)
			tables->symbols = absolute(object, entry->d_un.d_ptr);
		else if (entry->d_tag == DT_STRTAB)
			tables->strings = absolute(object, entry->d_un.d_ptr);
		else if (entry->d_tag == DT_GNU_HASH)
			tables->hash = absolute(object, entry->d_un.d_ptr);
	}
	return tables->symbols && tables->strings && tables->hash;
}

static uint32_t gnu_hash(const char *name)
{
	uint32_t hash = 5381;
	for (; *name; name++)
		hash = hash * 33 + (unsigned char)*name;
	return hash;
}

/* Layout: nbuckets, symoffset, bloom_size, bloom_shift, bloom[], buckets[], chains[]. */
static const ElfW(Sym) *find(const struct tables *tables, const char *name)
{
	uint32_t buckets = tables->hash[0], first = tables->hash[1], wanted = gnu_hash(name);
	const uint32_t *bucket = tables->hash + 4 + tables->hash[2] * (sizeof(ElfW(Addr)) / 4);
	const uint32_t *chain = bucket + buckets;
	uint32_t index = buckets ? bucket[wanted % buckets] : 0;
	for (; index >= first && index; index++) {
		const ElfW(Sym) *symbol = &tables->symbols[index];
		uint32_t hash = chain[index - first];
		if ((hash | 1) == (wanted | 1) && symbol->st_shndx != SHN_UNDEF &&
		    strcmp(tables->strings + symbol->st_name, name) == 0)
			return symbol;
		if (hash & 1)
			return NULL;
	}
	return NULL;
}

/* Only the C library: a program or another preload library may define the name too. */
static bool is_c_library(const char *path)
{
	const char *file = strrchr(path, '/');
	file = file ? file + 1 : path;
	return strncmp(file, "libc.so", 7) == 0 || strncmp(file, "libdl.so", 8) == 0 || strncmp(file, "libdl-", 6) == 0 ||
	       strncmp(file, "libc-", 5) == 0 || strncmp(file, "ld-musl", 7) == 0;
}

static int look_into(struct dl_phdr_info *object, size_t size, void *argument)
{
	struct wanted *wanted = argument;
	struct tables tables;
	(void)size;
	if (!is_c_library(object->dlpi_name))
		return 0;
	for (int i = 0; i < object->dlpi_phnum; i++) {
		const ElfW(Phdr) *header = &object->dlpi_phdr[i];
		const void *dynamic = (const void *)(object->dlpi_addr + header->p_vaddr);
		if (header->p_type != PT_DYNAMIC || !read_tables(object, dynamic, &tables))
			continue;
		const ElfW(Sym) *symbol = find(&tables, wanted->name);
		if (symbol)
			wanted->address = (void *)(object->dlpi_addr + symbol->st_value);
	}
	return wanted->address != NULL;
}

static struct wanted dlsym_found = {.name = "dlsym"}, dlvsym_found = {.name = "dlvsym"};

static void find_both(void)
{
	dl_iterate_phdr(look_into, &dlsym_found);
	dl_iterate_phdr(look_into, &dlvsym_found);
}

static void once(void)
{
	static pthread_once_t done = PTHREAD_ONCE_INIT;
	pthread_once(&done, find_both);
}

void *(*libc_dlsym(void))(void *, const char *)
{
	once();
	return (void *(*)(void *, const char *))dlsym_found.address;
}

void *(*libc_dlvsym(void))(void *, const char *, const char *)
{
	once();
	return (void *(*)(void *, const char *, const char *))dlvsym_found.address;
}
