/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "hostdev.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <vm/acl.h>
#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/file.h>
#include <vm/state.h>

#define PLACE "hostdev"

const char *const vm_hostdev_phase_words[] = {
	"", "binding", "ready", "taken", "unplugging", "releasing", "stuck", "making", "made", NULL,
};

/* Beside the claims. */
static int place_open(const struct vm_state *s, bool make, int *ret, struct vm_err *err)
{
	VM_AUTO_FD int top = s->claims < 0 ? -1 : openat(s->claims, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
	int dir;

	if (s->claims < 0)
		return vm_err_set(err, VM_NOT_FOUND, "there are no records of host devices");
	if (top < 0)
		return vm_err_sys_kind(err, VM_SYSTEM, "open the directory above the claims");
	if (make && mkdirat(top, PLACE, 0750) < 0 && errno != EEXIST)
		return vm_err_sys(err, "make the directory of host devices");
	dir = openat(top, PLACE, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir < 0)
		return vm_err_sys(err, "open the directory of host devices");
	*ret = dir;
	return 0;
}

int vm_hostdev_place(const struct vm_state *s, int *ret, struct vm_err *err)
{
	return place_open(s, true, ret, err);
}

bool vm_hostdev_lost(const struct vm_record *guest)
{
	static const char nodes[] = " /dev/bus/usb/";
	const char *rule, *path, *one;

	for (size_t i = 0; (one = vm_record_nth(guest, VM_KEY_HOSTDEV, i)) != NULL; i++)
		if (strstr(one, " " VM_HOSTDEV_MISSING) != NULL)
			return true;
	for (size_t i = 0; (rule = vm_record_nth(guest, VM_KEY_ACL_RULE, i)) != NULL; i++)
		if ((path = strstr(rule, nodes)) != NULL && access(path + 1, F_OK) < 0 && errno == ENOENT)
			return true;
	return false;
}

void vm_hostdev_sweep(const struct vm_state *s)
{
	VM_AUTO_FD int dir = -1;
	struct vm_err ignored = VM_ERR_INIT;

	if (place_open(s, false, &dir, &ignored) == 0)
		vm_file_sweep(dir);
}

int vm_hostdev_record_read(const struct vm_state *s, const char *key, struct vm_record *ret,
			   struct vm_err *err)
{
	VM_AUTO_FD int dir = -1;

	if (place_open(s, false, &dir, err) < 0)
		return -1;
	if (vm_record_read(ret, dir, key, VM_RECORD_HOSTDEV, VM_RECORD_HOSTDEV_VERSION, err) < 0)
		return vm_err_wrap(err, "record of the host device");
	return 0;
}

int vm_hostdev_record_write(const struct vm_state *s, const char *key, const struct vm_record *r,
			    struct vm_err *err)
{
	VM_AUTO_FD int dir = -1;

	if (place_open(s, true, &dir, err) < 0)
		return -1;
	return vm_record_write_volatile(r, dir, key, VM_RECORD_HOSTDEV, VM_RECORD_HOSTDEV_VERSION, err);
}

int vm_hostdev_record_remove(const struct vm_state *s, const char *key, struct vm_err *err)
{
	VM_AUTO_FD int dir = -1;

	if (place_open(s, false, &dir, err) < 0)
		return err->kind == VM_NOT_FOUND ? 0 : -1;
	if (unlinkat(dir, key, 0) < 0 && errno != ENOENT)
		return vm_err_sys(err, "remove the record of host device %s", key);
	return 0;
}

enum vm_hostdev_phase vm_hostdev_phase(const struct vm_record *r)
{
	const char *word = vm_record_get(r, VM_HOSTDEV_PHASE);

	for (int i = 1; word != NULL && i < VM_HOSTDEV_PHASES; i++)
		if (strcmp(word, vm_hostdev_phase_words[i]) == 0)
			return (enum vm_hostdev_phase)i;
	return VM_HOSTDEV_NONE;
}

const char *vm_hostdev_guest(const char *user)
{
	const char *slash = strchr(user, '/');

	return slash != NULL ? slash + 1 : user;
}

int vm_hostdev_refuse_user(const char *name, const char *user, struct vm_err *err)
{
	const char *guest = vm_hostdev_guest(user);

	vm_err_set(err, VM_IN_USE, "%s is used by guest '%s'", name, guest);
	return vm_err_hint(err, "vm-detach-hostdev %s %s gives it back", guest, name);
}

int vm_hostdev_claimed_by(const struct vm_state *s, const char *key, char **ret, struct vm_err *err)
{
	VM_AUTO(vm_record_free) struct vm_record r = VM_RECORD_INIT;

	if (vm_claim_read(s, key, &r, err) < 0)
		return vm_err_wrap(err, "see who uses %s", key);
	*ret = vm_xstrdup(vm_record_get(&r, "user"));
	return 0;
}
