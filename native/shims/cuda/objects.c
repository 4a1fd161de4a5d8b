/*
 * Reading the objects that the dynamic loader has mapped: which names they define, and where. The loader's own functions
 * answer relative to who asks, and here it is asked for others.
 */
#include "objects.h"

#include <string.h>

/* glibc has relocated these pointers in the mapped dynamic section; musl and the vDSO have not. */
static const void *absolute(const struct dl_phdr_info *object, ElfW(Addr) pointer)
{
	return (const void *)(pointer < object->dlpi_addr ? pointer + object->dlpi_addr : pointer);
}

static void read_entry(const struct dl_phdr_info *object, const ElfW(Dyn) *entry, struct object_tables *tables)
{
	switch (entry->d_tag) {
	case DT_SYMTAB: tables->symbols = absolute(object, entry->d_un.d_ptr); break;
	case DT_STRTAB: tables->strings = absolute(object, entry->d_un.d_ptr); break;
	case DT_GNU_HASH: tables->gnu_hash = absolute(object, entry->d_un.d_ptr); break;
	case DT_HASH: tables->hash = absolute(object, entry->d_un.d_ptr); break;
	case DT_RELA: tables->relocations = absolute(object, entry->d_un.d_ptr); break;
	case DT_RELASZ: tables->relocations_bytes = entry->d_un.d_val; break;
	case DT_JMPREL: tables->plt = absolute(object, entry->d_un.d_ptr); break;
	case DT_PLTRELSZ: tables->plt_bytes = entry->d_un.d_val; break;
	default: break;
	}
}

bool object_read(const struct dl_phdr_info *object, struct object_tables *tables)
{
	memset(tables, 0, sizeof *tables);
	for (int i = 0; i < object->dlpi_phnum; i++) {
		if (object->dlpi_phdr[i].p_type != PT_DYNAMIC)
			continue;
		const ElfW(Dyn) *entry = (const void *)(object->dlpi_addr + object->dlpi_phdr[i].p_vaddr);
		for (; entry->d_tag != DT_NULL; entry++)
			read_entry(object, entry, tables);
	}
	return tables->symbols && tables->strings;
}

static bool defines(const struct object_tables *tables, uint32_t index, const char *name)
{
	const ElfW(Sym) *symbol = &tables->symbols[index];
	return symbol->st_shndx != SHN_UNDEF && strcmp(tables->strings + symbol->st_name, name) == 0;
}

static uint32_t gnu_hash(const char *name)
{
	uint32_t hash = 5381;
	for (; *name; name++)
		hash = hash * 33 + (unsigned char)*name;
	return hash;
}

/* Layout: nbuckets, symoffset, bloom_size, bloom_shift, bloom[], buckets[], chains[]. 0: not there. */
static uint32_t find_by_gnu_hash(const struct object_tables *tables, const char *name)
{
	const uint32_t *table = tables->gnu_hash;
	uint32_t buckets = table[0], first = table[1], wanted = gnu_hash(name);
	const uint32_t *bucket = table + 4 + table[2] * (sizeof(ElfW(Addr)) / 4);
	const uint32_t *chain = bucket + buckets;
	uint32_t index = buckets ? bucket[wanted % buckets] : 0;
	for (; index >= first && index; index++) {
		uint32_t hash = chain[index - first];
		if ((hash | 1) == (wanted | 1) && defines(tables, index, name))
			return index;
		if (hash & 1)
			return 0;
	}
	return 0;
}

/* Layout: nbuckets, nchain, buckets[], chains[]; there are nchain symbols. An old table, rare: read from end to end. */
static uint32_t find_by_hash(const struct object_tables *tables, const char *name)
{
	for (uint32_t index = 1; index < tables->hash[1]; index++)
		if (defines(tables, index, name))
			return index;
	return 0;
}

void *object_symbol(const struct dl_phdr_info *object, const struct object_tables *tables, const char *name)
{
	uint32_t index = 0;
	if (tables->gnu_hash)
		index = find_by_gnu_hash(tables, name);
	else if (tables->hash)
		index = find_by_hash(tables, name);
	return index ? (void *)(object->dlpi_addr + tables->symbols[index].st_value) : NULL;
}

bool object_holds(const struct dl_phdr_info *object, const void *address)
{
	for (int i = 0; i < object->dlpi_phnum; i++) {
		const ElfW(Phdr) *header = &object->dlpi_phdr[i];
		ElfW(Addr) offset = (ElfW(Addr))address - object->dlpi_addr - header->p_vaddr;
		if (header->p_type == PT_LOAD && offset < header->p_memsz)
			return true;
	}
	return false;
}

bool object_is_c_library(const struct dl_phdr_info *object)
{
	const char *file = strrchr(object->dlpi_name, '/');
	file = file ? file + 1 : object->dlpi_name;
	return strncmp(file, "libc.so", 7) == 0 || strncmp(file, "libdl.so", 8) == 0 || strncmp(file, "libdl-", 6) == 0 ||
	       strncmp(file, "libc-", 5) == 0 || strncmp(file, "ld-musl", 7) == 0;
}
