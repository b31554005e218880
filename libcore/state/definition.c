/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "state/internal.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <vm/cleanup.h>
#include <vm/file.h>

#include "state/libvirt.h"

static int uuid_check(const struct vm_guest *g, const char *uuid, bool replace, struct vm_err *err)
{
	VM_AUTO(vm_record_free) struct vm_record index = VM_RECORD_INIT;
	VM_AUTO(vm_libvirt_freep) struct vm_libvirt *libvirt = NULL;
	VM_AUTO_FREE char *owner = NULL;
	const char *has;
	struct vm_err none;

	if (replace && vm_index_read(g->state, g->name, &index, &none) == 0) {
		has = vm_record_get(&index, "uuid");
		if (has && strcasecmp(has, uuid) != 0)
			return vm_err_set(err, VM_IN_USE, "is defined already, with UUID %s", has);
	}
	if (vm_uuid_owner(g->state, g->uuid, &owner, &none) == 0 && strcmp(owner, g->name) != 0)
		return vm_uuid_held_by(uuid, owner, err);
	if (vm_libvirt_load(&libvirt, err) < 0)
		return -1;
	return vm_libvirt_check_uuid(libvirt, g->uuid, err);
}

int vm_definition_write(const struct vm_guest *g, const char *text, size_t len, bool replace,
			struct vm_err *err)
{
	const struct vm_state *s = g->state;
	char file[VM_FILE_NAME_MAX], uuid[37];
	VM_AUTO_FD int by_uuid = -1;
	bool exists;
	int made;

	assert(g->lock >= 0 && g->has_uuid && s->etc >= 0);
	vm_definition_name(g->name, file);
	vm_uuid_format(g->uuid, uuid);
	if (len > VM_DEFINITION_MAX)
		return vm_err_set(err, VM_BAD_INPUT, "%s: larger than %u bytes", file,
				  VM_DEFINITION_MAX);
	exists = vm_definition_exists(s, g->name);
	if (exists && !replace)
		return vm_err_set(err, VM_IN_USE, "is defined already");
	if (uuid_check(g, uuid, exists, err) < 0)
		return -1;
	if (vm_own_dir_make(s, s->etc, VM_BY_UUID, &by_uuid) < 0)
		return vm_err_sys(err, "make %s/%s", s->etc_path, VM_BY_UUID);
	/* The link first: two guests of one UUID must never both be there. */
	made = vm_uuid_link_take(g, by_uuid, uuid, err);
	if (made < 0)
		return -1;
	if (vm_file_write(s->etc, file, text, len, 0600, err) == 0)
		return 0;
	/* A definition that is there but could not be made durable keeps its link. */
	if (made && !vm_definition_exists(s, g->name))
		unlinkat(by_uuid, uuid, 0);
	return vm_err_wrap(err, "%s", s->etc_path);
}

int vm_definition_read(const struct vm_state *s, const char *name, char **ret_text, size_t *ret_len,
		       struct vm_err *err)
{
	char file[VM_FILE_NAME_MAX];

	if (vm_name_check(name, err) < 0)
		return -1;
	vm_definition_name(name, file);
	if (s->etc < 0)
		return vm_err_set(err, VM_NOT_FOUND, "has no definition");
	if (vm_file_read(s->etc, file, VM_DEFINITION_MAX, ret_text, ret_len, NULL, err) == 0)
		return 0;
	if (err->kind == VM_NOT_FOUND)
		return vm_err_set(err, VM_NOT_FOUND, "has no definition");
	return vm_err_wrap(err, "%s", s->etc_path);
}

/* What leads to a definition that is gone.  The first failure is told; the rest is removed all the same. */
static int remove_rest(const struct vm_guest *g, struct vm_err *err)
{
	const struct vm_state *s = g->state;
	struct vm_err other = VM_ERR_INIT;
	bool failed = vm_uuid_link_drop(g, err) < 0;

	if (g->lib < 0)
		return failed ? -1 : 0;
	if (unlinkat(g->lib, VM_LIB_INDEX, 0) < 0 && errno != ENOENT) {
		vm_err_sys(failed ? &other : err, "remove %s/%s/index", s->lib_path, g->name);
		failed = true;
	}
	if (!g->active && unlinkat(g->lib, VM_LIB_LAST, 0) < 0 && errno != ENOENT) {
		vm_err_sys(failed ? &other : err, "remove %s/%s/last", s->lib_path, g->name);
		failed = true;
	}
	if (!g->active && vm_guest_uid_drop(g, failed ? &other : err) < 0)
		failed = true;
	if (!g->active)
		(void)unlinkat(s->lib, g->name, AT_REMOVEDIR);
	return failed ? -1 : 0;
}

int vm_definition_remove(const struct vm_guest *g, struct vm_err *err)
{
	const struct vm_state *s = g->state;
	struct vm_err other = VM_ERR_INIT;
	char file[VM_FILE_NAME_MAX];

	assert(g->lock >= 0);
	vm_definition_name(g->name, file);
	if (s->etc < 0)
		return 0;
	/* From what depends on the definition to what only leads to it: killed anywhere, a second
	 * undefine or a new define of the name goes on from there. */
	if (vm_autostart_set(s, g->name, false, err) < 0)
		return -1;
	if (vm_file_remove(s->etc, file, err) < 0) {
		vm_err_wrap(err, "%s", s->etc_path);
		/* gone, but not known to stay so: the rest goes too, or nobody would look for it */
		if (!vm_definition_exists(s, g->name))
			(void)remove_rest(g, &other);
		return -1;
	}
	return remove_rest(g, err);
}
