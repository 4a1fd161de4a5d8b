/*
 * The C library's dlopen, dlmopen, dlsym and dlvsym. This library exports these names, so none of them can be called by
 * name here, and their symbol versions differ from one C library to the next. They are found as the dynamic loader finds
 * them: in the symbol tables of the objects that it has loaded.
 */
#include <pthread.h>

#include "objects.h"
#include "shim.h"

static struct loader_real found;

static void take(void **place, const struct dl_phdr_info *object, const struct object_tables *tables, const char *name)
{
	if (!*place)
		*place = object_symbol(object, tables, name);
}

/* Only the C library: a program or another preload library may define the names too. */
static int look_into(struct dl_phdr_info *object, size_t size, void *argument)
{
	struct object_tables tables;
	(void)size;
	(void)argument;
	if (!object_is_c_library(object) || !object_read(object, &tables))
		return 0;
	take((void **)&found.dlmopen, object, &tables, "dlmopen");
	take((void **)&found.dlopen, object, &tables, "dlopen");
	take((void **)&found.dlsym, object, &tables, "dlsym");
	take((void **)&found.dlvsym, object, &tables, "dlvsym");
	return 0;
}

static void find(void)
{
	dl_iterate_phdr(look_into, NULL);
}

const struct loader_real *loader_real(void)
{
	static pthread_once_t done = PTHREAD_ONCE_INIT;
	pthread_once(&done, find);
	return &found;
}
