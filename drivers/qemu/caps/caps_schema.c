/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "qemu/caps/caps_schema.h"

#include <string.h>

#define DEPTH_MAX 16 /* a path and its detours through arrays and alternates */

json_t *vm_qemu_schema_index(const json_t *schema)
{
	json_t *index = json_object(), *entry;
	size_t i;

	json_array_foreach(schema, i, entry)
	{
		const char *name = json_string_value(json_object_get(entry, "name"));

		if (name != NULL)
			json_object_set(index, name, entry);
	}
	return index;
}

static bool word_is(const json_t *value, const char *word, size_t len)
{
	return json_is_string(value) && json_string_length(value) == len &&
	       memcmp(json_string_value(value), word, len) == 0;
}

static bool list_has(const json_t *list, const char *word, size_t len)
{
	const json_t *item;
	size_t i;

	json_array_foreach(list, i, item)
	{
		/* Values of an enumeration are words, since 7.0 also objects with a name. */
		if (word_is(item, word, len) || word_is(json_object_get(item, "name"), word, len))
			return true;
	}
	return false;
}

static bool walk(const json_t *index, const json_t *entry, const char *path, unsigned depth);

static bool walk_type(const json_t *index, const json_t *type, const char *path, unsigned depth)
{
	const char *name = json_string_value(type);

	return name != NULL && walk(index, json_object_get(index, name), path, depth + 1);
}

static bool walk_member(const json_t *index, const json_t *entry, const char *path, unsigned depth)
{
	bool variant = path[0] == '+';
	const json_t *item;
	size_t len, i;

	path += variant;
	len = strcspn(path, "/");
	json_array_foreach(json_object_get(entry, variant ? "variants" : "members"), i, item)
	{
		const char *rest = path + len + (path[len] == '/');

		if (!word_is(json_object_get(item, variant ? "case" : "name"), path, len))
			continue;
		if (rest[0] == '$' && !variant)
			return list_has(json_object_get(item, "features"), rest + 1,
					strlen(rest + 1));
		return walk_type(index, json_object_get(item, "type"), rest, depth);
	}
	return false;
}

/* Looks for the path below an entry; "" is always there. */
static bool walk(const json_t *index, const json_t *entry, const char *path, unsigned depth)
{
	const char *meta = json_string_value(json_object_get(entry, "meta-type"));
	const json_t *item;
	size_t i;

	if (meta == NULL || depth > DEPTH_MAX)
		return false;
	if (path[0] == '\0')
		return true;
	if (path[0] == '$')
		return list_has(json_object_get(entry, "features"), path + 1, strlen(path + 1));
	if (strcmp(meta, "array") == 0)
		return walk_type(index, json_object_get(entry, "element-type"), path, depth);
	if (path[0] == '^') {
		const json_t *members = json_object_get(entry, "members");

		return strcmp(meta, "enum") == 0 &&
		       list_has(members != NULL ? members : json_object_get(entry, "values"),
				path + 1, strlen(path + 1));
	}
	if (strcmp(meta, "alternate") == 0) {
		json_array_foreach(json_object_get(entry, "members"), i, item)
		{
			if (walk_type(index, json_object_get(item, "type"), path, depth))
				return true;
		}
		return false;
	}
	return strcmp(meta, "object") == 0 && walk_member(index, entry, path, depth);
}

bool vm_qemu_schema_has(const json_t *index, const char *path)
{
	char name[128];
	size_t len = strcspn(path, "/");
	const json_t *entry;

	if (len >= sizeof(name))
		return false;
	memcpy(name, path, len);
	name[len] = '\0';
	entry = json_object_get(index, name);
	path += len + (path[len] == '/');
	if (strncmp(path, "arg", 3) == 0 && (path[3] == '/' || path[3] == '\0'))
		return walk_type(index, json_object_get(entry, "arg-type"),
				 path + 3 + (path[3] == '/'), 0);
	if (strncmp(path, "ret", 3) == 0 && (path[3] == '/' || path[3] == '\0'))
		return walk_type(index, json_object_get(entry, "ret-type"),
				 path + 3 + (path[3] == '/'), 0);
	return (path[0] == '\0' || path[0] == '$') && walk(index, entry, path, 0);
}

const json_t *vm_qemu_schema_arguments(const json_t *index, const char *command)
{
	const json_t *entry = json_object_get(index, command);
	const char *type = json_string_value(json_object_get(entry, "arg-type"));

	return type == NULL ? NULL : json_object_get(json_object_get(index, type), "members");
}
