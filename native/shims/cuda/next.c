/*
 * RTLD_NEXT: what a name means to the objects that were loaded after the one that asks. The C library answers that for its
 * caller, which would be this library; so for the names that must not go round us the objects are searched here.
 */
#include "objects.h"

struct search {
	const void *caller;
	const char *name;
	bool passed; /* the caller's object */
	void *found;
};

static int look_into(struct dl_phdr_info *object, size_t size, void *argument)
{
	struct search *search = argument;
	struct object_tables tables;
	(void)size;
	if (!search->passed)
		search->passed = object_holds(object, search->caller);
	else if (object_read(object, &tables))
		search->found = object_symbol(object, &tables, search->name);
	return search->found != NULL;
}

void *next_after(const void *caller, const char *name)
{
	struct search search = {.caller = caller, .name = name};
	dl_iterate_phdr(look_into, &search);
	return search.found;
}
