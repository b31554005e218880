/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Names and namespaces, each kept once in the pool: an element name that stands in a document ten
 * thousand times needs its bytes once. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>

#include <vm/alloc.h>

#include "xml_internal.h"

/* The kernel's random bytes make the hash one that a document cannot aim at.
 * Source: getauxval(3), AT_RANDOM. */
static uint64_t secret(void)
{
	const void *random = (const void *)(uintptr_t)getauxval(AT_RANDOM);
	uint64_t key = 0x9e3779b97f4a7c15u;

	if (random != NULL)
		memcpy(&key, random, sizeof(key));
	return key | 1;
}

static uint64_t hash(uint64_t key, const char *text, size_t len)
{
	uint64_t h = len;

	while (len-- > 0) {
		h = (h ^ (unsigned char)*text++) * key;
		h ^= h >> 29;
	}
	return h;
}

const char *xml_keep(struct vm_xml *x, const char *text, size_t len)
{
	char *to = x->pool + x->pool_used;

	if (len == 0)
		return "";
	/* Resolving references only makes text shorter, and what ends a name, value or content in
	 * the text leaves room for the NUL. */
	assert(x->pool_cap - x->pool_used > len);
	memcpy(to, text, len);
	to[len] = '\0';
	x->pool_used += len + 1;
	return to;
}

static void grow(struct xml_names *t)
{
	struct xml_names old = *t;

	t->cap = old.cap > 0 ? old.cap * 2 : 64;
	t->slots = vm_xcalloc(t->cap, sizeof(*t->slots));
	for (uint32_t i = 0; i < old.cap; i++) {
		uint32_t at;

		if (old.slots[i].name == NULL)
			continue;
		at = (uint32_t)old.slots[i].hash & (t->cap - 1);
		while (t->slots[at].name != NULL)
			at = (at + 1) & (t->cap - 1);
		t->slots[at] = old.slots[i];
	}
	free(old.slots);
}

const char *xml_intern(struct vm_xml *x, const char *text, size_t len)
{
	struct xml_names *t = &x->names;
	uint64_t h;
	uint32_t at;

	if (len == 0)
		return "";
	if (t->key == 0)
		t->key = secret();
	if (t->n >= t->cap / 2)
		grow(t);
	h = hash(t->key, text, len);
	for (at = (uint32_t)h & (t->cap - 1); t->slots[at].name != NULL;
	     at = (at + 1) & (t->cap - 1))
		if (t->slots[at].hash == h && strncmp(t->slots[at].name, text, len) == 0 &&
		    t->slots[at].name[len] == '\0')
			return t->slots[at].name;
	t->slots[at].hash = h;
	t->slots[at].name = xml_keep(x, text, len);
	t->n++;
	return t->slots[at].name;
}
