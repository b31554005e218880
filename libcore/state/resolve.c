/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "state/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/file.h>
#include <vm/log.h>
#include <vm/strbuf.h>

#include "state/facts.h"

#define HELPER_MS 10000

/* Has it a run directory with something in it that makes it a guest? */
static bool active_exists(const struct vm_state *s, const char *name)
{
	struct stat st;
	size_t i;
	static const char *const signs[] = {VM_RUN_RECORD, VM_RUN_UNDO_START, VM_RUN_UNDO_CHANGE};

	for (i = 0; s->run >= 0 && i < VM_COUNT(signs); i++) {
		VM_AUTO_FREE char *path = vm_xasprintf("%s/%s", name, signs[i]);

		if (fstatat(s->run, path, &st, AT_SYMLINK_NOFOLLOW) == 0)
			return true;
	}
	return false;
}

static bool guest_exists(const struct vm_state *s, const char *name)
{
	return vm_definition_exists(s, name) || active_exists(s, name);
}

/* A search through the records of all guests. */
struct search {
	const struct vm_state *s;
	const char *uuid; /* canonical text, or NULL */
	const char *id;	  /* decimal, or NULL */
	struct names stale;
	char name[VM_NAME_MAX + 1];
};

static int match_run(int dirfd, const char *name, void *arg)
{
	VM_AUTO(vm_record_free) struct vm_record r = VM_RECORD_INIT;
	struct search *w = arg;
	VM_AUTO_FD int fd = -1;
	const char *value;
	struct vm_err err;

	if (!vm_name_valid(name))
		return 0;
	fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || vm_record_read(&r, fd, VM_RUN_RECORD, VM_RECORD_GUEST,
				     VM_RECORD_GUEST_VERSION, &err) < 0)
		return 0;
	value = vm_record_get(&r, w->uuid ? VM_KEY_UUID : VM_KEY_PID);
	if (!value || strcasecmp(value, w->uuid ? w->uuid : w->id) != 0)
		return 0;
	/* an id is that of a living process, not of a rest */
	if (w->id && vm_run_lock_held(fd, VM_RUN_ALIVE) == 0)
		return 0;
	strcpy(w->name, name);
	return 1;
}

static int match_index(int dirfd, const char *name, void *arg)
{
	VM_AUTO(vm_record_free) struct vm_record r = VM_RECORD_INIT;
	struct search *w = arg;
	const char *value;
	struct vm_err err;

	(void)dirfd;
	if (!vm_name_valid(name) || vm_index_read(w->s, name, &r, &err) != 0)
		return 0;
	value = vm_record_get(&r, "uuid");
	if (!value || strcasecmp(value, w->uuid) != 0)
		return 0;
	strcpy(w->name, name);
	return 1;
}

static bool find_active(struct search *w)
{
	struct vm_err err;

	return w->s->run >= 0 && vm_dir_each(w->s->run, match_run, w, &err) == 1;
}

/* Definitions without a current index: only their text tells. */
static int collect_stale(int dirfd, const char *file, void *arg)
{
	struct search *w = arg;
	char name[VM_NAME_MAX + 1];
	struct stat st;

	if (vm_definition_stem(file, name) &&
	    fstatat(dirfd, file, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode) &&
	    !vm_index_fresh(w->s, name, &st))
		vm_names_add(&w->stale, name);
	return 0;
}

static void match_facts(const char *name, const struct vm_record *facts, void *arg)
{
	struct search *w = arg;
	const char *uuid = vm_record_get(facts, "uuid");

	if (uuid && strcasecmp(uuid, w->uuid) == 0 && vm_name_valid(name))
		strcpy(w->name, name);
}

static bool find_unindexed(struct search *w)
{
	struct vm_err err = VM_ERR_INIT;
	bool ran;

	if (w->s->etc < 0 || vm_dir_each(w->s->etc, collect_stale, w, &err) < 0)
		return false;
	if (w->stale.n && vm_facts_run(w->s, &w->stale, vm_deadline_in(HELPER_MS), match_facts, w,
				       &ran, &err) < 0)
		vm_log_warning("%s", err.msg);
	vm_names_free(&w->stale);
	return *w->name;
}

/*
 * The link is the way; without it (a definition put there by hand) the records are searched, and the
 * definitions that have none.
 */
static bool find_uuid(const struct vm_state *s, const uint8_t uuid[16], char ret[VM_NAME_MAX + 1])
{
	char text[37];
	struct search w = {.s = s, .uuid = text};
	struct vm_err err;

	if (vm_uuid_link_read(s, uuid, ret) == 0 && guest_exists(s, ret))
		return true;
	vm_uuid_format(uuid, text);
	if (!find_active(&w) &&
	    (s->lib < 0 || vm_dir_each(s->lib, match_index, &w, &err) != 1) && !find_unindexed(&w))
		return false;
	strcpy(ret, w.name);
	return true;
}

static bool find_id(const struct vm_state *s, const char *ref, char ret[VM_NAME_MAX + 1])
{
	struct search w = {.s = s, .id = ref};

	if (*ref < '1' || *ref > '9' || strlen(ref) > 10 ||
	    strspn(ref, "0123456789") != strlen(ref))
		return false;
	if (!find_active(&w))
		return false;
	strcpy(ret, w.name);
	return true;
}

static int ambiguous(const char *name, const char *how, const char *other, struct vm_err *err)
{
	vm_err_set(err, VM_BAD_INPUT, "ambiguous: it is the name of one guest and the %s of '%s'",
		   how, other);
	vm_err_hint(err, "give the UUID of the one meant");
	return vm_err_object(err, name);
}

int vm_uuid_owner(const struct vm_state *s, const uint8_t uuid[16], char **ret_name,
		  struct vm_err *err)
{
	char name[VM_NAME_MAX + 1];
	char text[37];
	struct search w = {.s = s, .uuid = text};

	vm_uuid_format(uuid, text);
	if (vm_uuid_link_read(s, uuid, name) == 0 && guest_exists(s, name)) {
		*ret_name = vm_xstrdup(name);
		return 0;
	}
	if (!find_active(&w))
		return vm_err_set(err, VM_NOT_FOUND, "no guest has the UUID %s", text);
	*ret_name = vm_xstrdup(w.name);
	return 0;
}

int vm_guest_resolve(const struct vm_state *s, const char *ref, bool refuse_ambiguous,
		     char **ret_name, struct vm_err *err)
{
	VM_AUTO(vm_strbuf_free) struct vm_strbuf shown = VM_STRBUF_INIT;
	char other[VM_NAME_MAX + 1] = "";
	bool is_uuid, named;
	uint8_t uuid[16];

	is_uuid = vm_uuid_parse(ref, uuid) == 0;
	named = vm_name_valid(ref) && guest_exists(s, ref);
	if (named && !refuse_ambiguous) {
		*ret_name = vm_xstrdup(ref);
		return 0;
	}
	if (is_uuid && find_uuid(s, uuid, other)) {
		if (named && strcmp(other, ref) != 0)
			return ambiguous(ref, "UUID", other, err);
	} else if (find_id(s, ref, other)) {
		if (named && strcmp(other, ref) != 0)
			return ambiguous(ref, "id", other, err);
	}
	if (named || *other) {
		*ret_name = vm_xstrdup(named ? ref : other);
		return 0;
	}
	vm_strbuf_printable(&shown, ref);
	vm_err_set(err, VM_NOT_FOUND, "no such guest");
	vm_err_hint(err, "vm-list --all shows those there are");
	return vm_err_object(err, shown.text ? shown.text : "");
}
