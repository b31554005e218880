/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Definitions of host devices. */
#include "hostdef.h"

#include <string.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/file.h>
#include <vm/lock.h>
#include <vm/log.h>
#include <vm/xml.h>

#include "hostdev_record.h"
#include "state/internal.h"

static int no_definition(const char *key, struct vm_err *err)
{
	vm_err_set(err, VM_NOT_FOUND, "%s is not defined", key);
	return vm_err_hint(err, "vm-hostdev-define FILE defines one, vm-hostdev-list --inactive lists those that are");
}

static int load(const struct vm_hostdefs *h, const char *key, struct vm_xml **ret_doc, struct vm_hostdef **ret,
		struct vm_err *err)
{
	VM_AUTO(vm_xml_freep) struct vm_xml *doc = NULL;
	VM_AUTO_FREE char *file = vm_xasprintf("%s/%s.xml", h->places.etc_path, key);
	VM_AUTO_FREE char *text = NULL;
	VM_AUTO_FREE char *is = NULL;
	VM_AUTO(vm_hostdef_freep) struct vm_hostdef *d = NULL;
	size_t len;

	if (!vm_hostdef_is_defined(h, key))
		return no_definition(key, err);
	if (vm_definition_read(&h->places, key, &text, &len, err) < 0 ||
	    vm_xml_parse(text, len, file, &doc, err) < 0 || vm_hostdef_parse(doc, &d, err) < 0)
		return -1;
	is = vm_hostdef_key(d);
	if (strcmp(is, key) != 0)
		return vm_err_set(err, VM_BAD_INPUT, "%s: this is %s", file, is);
	*ret_doc = vm_take_ptr(&doc);
	*ret = vm_take_ptr(&d);
	return 0;
}

/* With an element for what we assigned, in the admin's own text. */
static int finished(const struct vm_xml *doc, const struct vm_hostdef *d, struct vm_xml **ret, struct vm_err *err)
{
	VM_AUTO(vm_xml_edit_freep) struct vm_xml_edit *edit = vm_xml_edit_new(doc);

	mt_splice(&vm_hostdef_type, d, doc, edit);
	return vm_xml_edit_apply(edit, ret, err);
}

int vm_hostdef_define(const struct vm_hostdefs *h, const struct vm_xml *doc, char **ret_key, struct vm_err *err)
{
	VM_AUTO(vm_hostdef_freep) struct vm_hostdef *d = NULL;
	VM_AUTO(vm_xml_freep) struct vm_xml *whole = NULL;
	VM_AUTO(vm_lock_release) int lock = -1;
	VM_AUTO_FREE char *key = NULL;
	VM_AUTO_FREE char *stored = NULL;
	struct vm_err ignored = VM_ERR_INIT;
	char file[VM_FILE_NAME_MAX];
	const char *text;
	size_t len, stored_len;

	if (vm_hostdef_parse(doc, &d, err) < 0)
		return -1;
	vm_hostdef_identify(d, NULL);
	key = vm_hostdef_key(d);
	if (finished(doc, d, &whole, err) < 0 ||
	    (!h->dry_run && vm_hostdev_lock_name(&h->state, key, h->deadline, &lock, err) < 0))
		return -1;
	text = vm_xml_text(whole, &len);
	*ret_key = vm_xstrdup(key);
	if (vm_definition_exists(&h->places, key) &&
	    vm_definition_read(&h->places, key, &stored, &stored_len, &ignored) == 0 && stored_len == len &&
	    memcmp(stored, text, len) == 0)
		return 1;
	vm_definition_name(key, file);
	vm_log_step("write %s/%s", h->places.etc_path, file);
	if (h->dry_run || vm_file_write(h->places.etc, file, text, len, 0600, err) == 0)
		return 0;
	vm_cleanup_free(ret_key);
	return vm_err_wrap(err, "%s", h->places.etc_path);
}

int vm_hostdef_undefine(const struct vm_hostdefs *h, const char *key, struct vm_err *err)
{
	VM_AUTO(vm_lock_release) int lock = -1;
	char file[VM_FILE_NAME_MAX];

	if (!h->dry_run && vm_hostdev_lock_name(&h->state, key, h->deadline, &lock, err) < 0)
		return -1;
	if (!vm_hostdef_is_defined(h, key) && !vm_hostdef_is_marked(h, key))
		return no_definition(key, err);
	vm_definition_name(key, file);
	vm_log_step("remove %s/%s", h->places.etc_path, file);
	/* the mark first: killed between the two, a second undefine goes on from there */
	if (h->dry_run)
		return 0;
	return vm_autostart_set(&h->places, key, false, err) < 0 || vm_file_remove(h->places.etc, file, err) < 0 ? -1 : 0;
}

int vm_hostdef_start(const struct vm_hostdefs *h, const char *key, struct vm_err *err)
{
	VM_AUTO(vm_xml_freep) struct vm_xml *doc = NULL;
	VM_AUTO(vm_hostdef_freep) struct vm_hostdef *d = NULL;

	return load(h, key, &doc, &d, err) < 0 ? -1 : vm_hostdef_make(h, d, err);
}

int vm_hostdef_autostart(const struct vm_hostdefs *h, const char *key, bool on, struct vm_err *err)
{
	VM_AUTO(vm_lock_release) int lock = -1;

	if (!h->dry_run && vm_hostdev_lock_name(&h->state, key, h->deadline, &lock, err) < 0)
		return -1;
	if (!vm_hostdef_is_defined(h, key))
		return no_definition(key, err);
	if (vm_hostdef_is_marked(h, key) == on)
		return 1;
	vm_log_step(on ? "mark %s to be started with the host" : "no longer start %s with the host", key);
	return h->dry_run ? 0 : vm_autostart_set(&h->places, key, on, err) < 0 ? -1 : 0;
}
