/* The objects that the dynamic loader has mapped, read in their own tables (objects.c). */
#ifndef HETERO_SHIM_OBJECTS_H
#define HETERO_SHIM_OBJECTS_H

#include <elf.h>
#include <link.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Of a dynamic section, what is needed here; pointers are NULL where the object has no such table. */
struct object_tables {
	const ElfW(Sym) *symbols;
	const char *strings;
	const uint32_t *gnu_hash, *hash;
	const ElfW(Rela) *relocations, *plt;
	size_t relocations_bytes, plt_bytes;
};

/* False when the object has no dynamic symbols. */
bool object_read(const struct dl_phdr_info *object, struct object_tables *tables);

/* The address of what the object itself defines under this name; NULL when it does not. */
void *object_symbol(const struct dl_phdr_info *object, const struct object_tables *tables, const char *name);

/* True when the address lies in one of the object's segments. */
bool object_holds(const struct dl_phdr_info *object, const void *address);

/* True for the C library and the parts that it is split into. */
bool object_is_c_library(const struct dl_phdr_info *object);

/* Where a library searches for a name that comes after it: NULL when no later object defines it (next.c). */
void *next_after(const void *caller, const char *name);

#endif
