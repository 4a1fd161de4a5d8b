/*
 * What an image says of itself when it is PTX, the text form: the variables that it declares and the local memory of its
 * functions. Nothing else of it is read.
 */
#include "driver.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

bool image_is_text(const char *image)
{
	return strncmp(image, ".version", 8) == 0;
}

/* The next declaration in this space from `text` on; a declaration's space is a word of its own, an instruction's is not. */
static const char *find_declaration(const char *text, const char *end, const char *space)
{
	size_t length = strlen(space);
	while ((text = strstr(text, space)) != NULL && text < end) {
		text += length;
		if (isspace((unsigned char)*text))
			return text;
	}
	return NULL;
}

/* "b8", "u64", "f32": bytes of one element. */
static uint64_t element_bytes(const char *type)
{
	return isalpha((unsigned char)type[1]) && isdigit((unsigned char)type[2]) ? strtoull(type + 2, NULL, 10) / 8 : 0;
}

/* A declaration up to its semicolon: ".align 8 .b8 name[65536]" */
static uint64_t declared_bytes(const char *text)
{
	uint64_t element = 0, count = 1;
	for (; *text && *text != ';'; text++) {
		if (*text == '.' && !element)
			element = element_bytes(text);
		else if (*text == '[')
			count *= strtoull(text + 1, NULL, 10);
	}
	return element * count;
}

static uint64_t sum(const char *text, const char *end, const char *space)
{
	uint64_t bytes = 0;
	while ((text = find_declaration(text, end, space)) != NULL)
		bytes += declared_bytes(text);
	return bytes;
}

uint64_t image_variables(const char *text)
{
	return sum(text, text + strlen(text), ".global");
}

/* True when the name stands there as a whole word. */
static bool named(const char *text, const char *name)
{
	size_t length = strlen(name);
	return strncmp(text, name, length) == 0 && !isalnum((unsigned char)text[length]) && text[length] != '_';
}

uint64_t image_local(const char *text, const char *function)
{
	const char *entry = text;
	while ((entry = strstr(entry, ".entry")) != NULL) {
		entry += strlen(".entry");
		entry += strspn(entry, " \t\n");
		if (!named(entry, function))
			continue;
		const char *next = strstr(entry, ".entry");
		return sum(entry, next ? next : entry + strlen(entry), ".local");
	}
	return 0;
}

static bool declares(const char *declaration, const char *name)
{
	const char *end = declaration + strcspn(declaration, ";");
	for (const char *word = declaration; (word = strstr(word, name)) != NULL && word < end; word++)
		if (isspace((unsigned char)word[-1]) && named(word, name))
			return true;
	return false;
}

bool image_variable(const char *text, const char *name, uint64_t *offset, uint64_t *bytes)
{
	const char *end = text + strlen(text);
	*offset = 0;
	while ((text = find_declaration(text, end, ".global")) != NULL) {
		*bytes = declared_bytes(text);
		if (declares(text, name))
			return true;
		*offset += *bytes;
	}
	return false;
}
