/*
 * lookups next NAME...: who answers when a library asks for the next definition of a name, twice.
 * lookups later LIBRARY NAME...: the same of a library that is opened when what it needs is already there.
 * lookups apart LIBRARY NAME...: who answers for a name of a library that is opened in a namespace of its own.
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

static int next(char **names, void *(*ask)(const char *), void *(*ask_version)(const char *, const char *))
{
	for (; ask && *names; names++) {
		void *first = ask(*names), *again = ask(*names);
		printf("%s %s %s %s\n", *names, home_of(first), first == again ? "same" : "different",
		       home_of(ask_version(*names, "GLIBC_2.2.5")));
	}
	return !ask;
}

static int later(const char *path, char **names)
{
	void *library = dlopen(path, RTLD_LAZY | RTLD_LOCAL);
	return !library || next(names, (void *(*)(const char *))dlsym(library, "ask_next"),
				(void *(*)(const char *, const char *))dlsym(library, "ask_next_version"));
}

static int apart(const char *path, char **names)
{
	void *library = dlmopen(LM_ID_NEWLM, path, RTLD_LAZY);
	for (; library && *names; names++)
		printf("%s %s\n", *names, home_of(dlsym(library, *names)));
	return !library;
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
		return next(argv + 2, ask_next, ask_next_version);
	if (argc > 3 && strcmp(argv[1], "later") == 0)
		return later(argv[2], argv + 3);
	if (argc > 3 && strcmp(argv[1], "apart") == 0)
		return apart(argv[2], argv + 3);
	if (argc == 5 && strcmp(argv[1], "deepbind") == 0)
		return deepbind(argv[2], argv[3], argv[4]);
	return 2;
}
