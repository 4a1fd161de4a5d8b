/*
 * lookups next NAME...: who answers when a library asks for the next definition of a name, twice.
 * lookups deepbind LIBRARY lazy|now FUNCTION: what a function of a library opened with RTLD_DEEPBIND returns.
 */
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

void *ask_next(const char *name);
void *ask_next_version(const char *name, const char *version);

static const char *home_of(const void *address)
{
	Dl_info info;
	if (!address)
		return "none";
	const char *slash = dladdr(address, &info) ? strrchr(info.dli_fname, '/') : NULL;
	return slash ? slash + 1 : "nowhere";
}

static int next(char **names)
{
	for (; *names; names++) {
		void *first = ask_next(*names), *again = ask_next(*names);
		printf("%s %s %s %s\n", *names, home_of(first), first == again ? "same" : "different",
		       home_of(ask_next_version(*names, "GLIBC_2.2.5")));
	}
	return 0;
}

static int deepbind(const char *path, const char *mode, const char *name)
{
	void *library = dlopen(path, RTLD_DEEPBIND | (strcmp(mode, "now") == 0 ? RTLD_NOW : RTLD_LAZY));
	unsigned (*function)(void) = library ? (unsigned (*)(void))dlsym(library, name) : NULL;
	if (!function) {
		fprintf(stderr, "%s\n", dlerror());
		return 1;
	}
	printf("%u\n", function());
	return 0;
}

int main(int argc, char **argv)
{
	if (argc > 2 && strcmp(argv[1], "next") == 0)
		return next(argv + 2);
	if (argc == 5 && strcmp(argv[1], "deepbind") == 0)
		return deepbind(argv[2], argv[3], argv[4]);
	return 2;
}
