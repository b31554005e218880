/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "uid.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/file.h>

#define NUMBER	    12u /* bytes of an id as text */
#define DATABASE_MAX (16u << 20)

/* As ids are written here: no sign, no leading zero. */
static bool parse_id(const char *text, uint32_t *ret)
{
	uint64_t n = 0;
	const char *p = text;

	for (; *p >= '0' && *p <= '9' && p - text < 10; p++)
		n = n * 10 + (uint64_t)(*p - '0');
	if (p == text || *p != 0 || *text == '0' || n >= UINT32_MAX)
		return false;
	*ret = (uint32_t)n;
	return true;
}

static bool read_link(int dir, const char *name, char *buf, size_t size)
{
	ssize_t n = readlinkat(dir, name, buf, size);

	if (n >= (ssize_t)size)
		errno = EINVAL;
	if (n <= 0 || n >= (ssize_t)size)
		return false;
	buf[n] = 0;
	return true;
}

bool vm_uid_owner(int dir, const char *number, uint32_t *ret, char owner[VM_UID_OWNER_MAX])
{
	return parse_id(number, ret) && read_link(dir, number, owner, VM_UID_OWNER_MAX);
}

int vm_uid_find(int dir, int own, const char *owner, uint32_t *ret)
{
	char number[NUMBER], has[VM_UID_OWNER_MAX];
	uint32_t id;

	if (dir < 0 || own < 0 || !read_link(own, VM_UID_LINK, number, sizeof(number)) ||
	    !vm_uid_owner(dir, number, &id, has) || strcmp(has, owner) != 0)
		return 1;
	*ret = id;
	return 0;
}

/* ---- ids of the host ---- */

/* Lines of "name:a:b..." */
static char *read_database(int etc, const char *file)
{
	struct vm_err ignored = VM_ERR_INIT;
	char *text = NULL;

	if (etc < 0 || vm_file_read(etc, file, DATABASE_MAX, &text, NULL, NULL, &ignored) < 0)
		return NULL;
	return text;
}

static const char *field(const char *line, unsigned n)
{
	while (n-- > 0) {
		line += strcspn(line, ":\n");
		if (*line != ':')
			return "";
		line++;
	}
	return line;
}

static const char *next_line(const char *line)
{
	line += strcspn(line, "\n");
	return *line == '\n' ? line + 1 : line;
}

static char *overlap_in(int etc, const char *file, uint32_t first, uint32_t count)
{
	VM_AUTO_FREE char *text = read_database(etc, file);

	/* Source: subuid(5): name:first:count */
	for (const char *l = text != NULL ? text : ""; *l != 0; l = next_line(l)) {
		uint64_t from = strtoull(field(l, 1), NULL, 10);
		uint64_t n = strtoull(field(l, 2), NULL, 10);

		if (*l != '#' && n > 0 && n <= UINT32_MAX && from <= UINT32_MAX &&
		    from < (uint64_t)first + count && first < from + n)
			return vm_xasprintf("%.*s in %s", (int)strcspn(l, ":\n"), l, file);
	}
	return NULL;
}

char *vm_uid_overlap(int etc, uint32_t first, uint32_t count)
{
	char *who = overlap_in(etc, "subuid", first, count);

	return who != NULL ? who : overlap_in(etc, "subgid", first, count);
}

/* Ids of the range that passwd or group name. */
struct taken {
	uint32_t *v;
	size_t n;
};

static void taken_free(struct taken *t)
{
	free(t->v);
}

static void add_taken(struct taken *t, const struct vm_uid_pool *pool, const char *file)
{
	VM_AUTO_FREE char *text = read_database(pool->etc, file);

	for (const char *l = text != NULL ? text : ""; *l != 0; l = next_line(l)) {
		uint64_t id = strtoull(field(l, 2), NULL, 10);

		if (id < pool->first || id >= (uint64_t)pool->first + pool->count)
			continue;
		t->v = vm_xreallocarray(t->v, t->n + 1, sizeof(*t->v));
		t->v[t->n++] = (uint32_t)id;
	}
}

static bool is_taken(const struct taken *t, uint32_t id)
{
	for (size_t i = 0; i < t->n; i++)
		if (t->v[i] == id)
			return true;
	return false;
}

/* ---- giving back ---- */

/* 1 = read, 0 = there is no such link.  What cannot be read now must not be forgotten. */
static int read_known(int dir, const char *name, char *buf, size_t size, struct vm_err *err)
{
	if (read_link(dir, name, buf, size))
		return 1;
	return errno == ENOENT || errno == EINVAL ? 0 : vm_err_sys(err, "give back the id %s", name);
}

int vm_uid_drop(int dir, int own, const char *prefix, struct vm_err *err)
{
	char number[NUMBER], has[VM_UID_OWNER_MAX];
	int r;

	r = own < 0 ? 0 : read_known(own, VM_UID_LINK, number, sizeof(number), err);
	if (r <= 0)
		return r;
	r = dir >= 0 && strchr(number, '/') == NULL ? read_known(dir, number, has, sizeof(has), err) : 0;
	if (r < 0)
		return -1;
	if ((r > 0 && strncmp(has, prefix, strlen(prefix)) == 0 && unlinkat(dir, number, 0) < 0 &&
	     errno != ENOENT) ||
	    (unlinkat(own, VM_UID_LINK, 0) < 0 && errno != ENOENT))
		return vm_err_sys(err, "give back the id %s", number);
	return 1;
}

/* ---- taking ---- */

/* Guests begin at places of their own, so that a search is short however many there are. */
static uint32_t first_try(const char *owner, uint32_t count)
{
	uint32_t h = 0x811c9dc5u; /* FNV-1a */

	for (; *owner != 0; owner++)
		h = (h ^ (unsigned char)*owner) * 0x01000193u;
	return h % count;
}

/* 0 = taken, 1 = somebody else's. */
static int try_one(const struct vm_uid_pool *pool, int own, const char *owner, const char *number,
		   struct vm_err *err)
{
	size_t prefix = (size_t)(strrchr(owner, '/') + 1 - owner);
	char has[VM_UID_OWNER_MAX];

	if (unlinkat(own, VM_UID_LINK, 0) < 0 && errno != ENOENT)
		return vm_err_sys(err, "remove its link to an id");
	if (symlinkat(number, own, VM_UID_LINK) < 0)
		return vm_err_sys(err, "note its id");
	for (;;) {
		if (symlinkat(owner, pool->dir, number) == 0)
			return 0;
		if (errno != EEXIST)
			return vm_err_sys(err, "take the id %s", number);
		if (!read_link(pool->dir, number, has, sizeof(has)) ||
		    strncmp(has, owner, prefix) != 0 || strchr(has + prefix, '/') != NULL)
			return 1;
		if (strcmp(has, owner) == 0)
			return 0;
		/* Of an earlier guest of this name, whose lock is ours. */
		if (unlinkat(pool->dir, number, 0) < 0 && errno != ENOENT)
			return vm_err_sys(err, "take the id %s", number);
	}
}

static int check_range(const struct vm_uid_pool *pool, struct vm_err *err)
{
	VM_AUTO_FREE char *who = vm_uid_overlap(pool->etc, pool->first, pool->count);

	if (who == NULL)
		return 0;
	vm_err_set(err, VM_BAD_INPUT, "the range of guests' ids, %" PRIu32 "-%" PRIu32 ", overlaps that of %s",
		   pool->first, pool->first + pool->count - 1, who);
	return vm_err_hint(err, "set uid_first and uid_count in vm.conf to a range of their own");
}

int vm_uid_take(const struct vm_uid_pool *pool, int own, const char *owner, uint32_t *ret,
		struct vm_err *err)
{
	VM_AUTO(taken_free) struct taken taken = { 0 };
	char prefix[VM_UID_OWNER_MAX];
	uint32_t at;

	if (vm_uid_find(pool->dir, own, owner, ret) == 0)
		return 0;
	/* An earlier guest of this name, with another UUID, may have left one. */
	snprintf(prefix, sizeof(prefix), "%.*s", (int)(strrchr(owner, '/') + 1 - owner), owner);
	if (vm_uid_drop(pool->dir, own, prefix, err) < 0 || check_range(pool, err) < 0)
		return -1;
	add_taken(&taken, pool, "passwd");
	add_taken(&taken, pool, "group");
	at = first_try(owner, pool->count);
	for (uint32_t i = 0; i < pool->count; i++, at = at + 1 == pool->count ? 0 : at + 1) {
		uint32_t id = pool->first + at;
		char number[NUMBER];
		int r;

		if (is_taken(&taken, id))
			continue;
		snprintf(number, sizeof(number), "%" PRIu32, id);
		r = try_one(pool, own, owner, number, err);
		if (r < 0) {
			(void)unlinkat(own, VM_UID_LINK, 0);
			return -1;
		}
		if (r == 0) {
			*ret = id;
			return 0;
		}
	}
	(void)unlinkat(own, VM_UID_LINK, 0);
	vm_err_set(err, VM_IN_USE, "all %" PRIu32 " ids from %" PRIu32 " on are taken", pool->count,
		   pool->first);
	return vm_err_hint(err, "raise uid_count in vm.conf, or let vm-repair --all look for unused ones");
}
