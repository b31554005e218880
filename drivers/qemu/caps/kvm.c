/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "qemu/caps/kvm.h"

#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include <vm/cleanup.h>
#include <vm/process.h>
#include <vm/record.h>
#include <vm/state.h>
#include <vm/strbuf.h>

#include "host/kvm.h"

#define RECORD	       "vm-kvm"
#define RECORD_VERSION 1
#define RECORD_FILE    "kvm"
#define TRY_MS	       2000
#define BAD_FOR_MS     60000

static int advise(struct vm_err *err)
{
	if (err->kind == VM_DENIED)
		vm_err_hint(err, "join the group kvm, or define the guest with type='qemu' (slow)");
	else if (err->kind == VM_NOT_FOUND)
		vm_err_hint(err,
			    "load kvm_intel or kvm_amd, switch virtualization on in the firmware, "
			    "or define the guest with type='qemu' (slow)");
	else
		vm_err_hint(err,
			    "define the guest with type='qemu' (slow), or mend the host's KVM");
	return -1;
}

/* The directory above the driver's, which all drivers share; -1 = none. */
static int open_place(const struct vm_state *s)
{
	return s == NULL || s->run < 0
		   ? -1
		   : openat(s->run, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
}

/* 0 = the kept answer is *ret_rc and *err; 1 = none. */
static int read_answer(int place, const char *boot, int *ret_rc, struct vm_err *err)
{
	VM_AUTO(vm_record_free) struct vm_record r = VM_RECORD_INIT;
	struct vm_err ignored = VM_ERR_INIT;
	const char *was, *why;
	uint64_t age;

	if (place < 0 ||
	    vm_record_read(&r, place, RECORD_FILE, RECORD, RECORD_VERSION, &ignored) < 0)
		return 1;
	was = vm_record_get(&r, "boot");
	if (was == NULL || strcmp(was, boot) != 0 ||
	    vm_record_u64(&r, "identity", 0) != vm_kvm_identity())
		return 1;
	if (vm_record_bool(&r, "works", false)) {
		*ret_rc = 0;
		return 0;
	}
	why = vm_record_get(&r, "why");
	age = vm_now_ms() - vm_record_u64(&r, "at_ms", 0);
	if (why == NULL || age > BAD_FOR_MS)
		return 1;
	vm_err_set(err, VM_UNSUPPORTED, "%s", why);
	*ret_rc = advise(err);
	return 0;
}

static void keep_answer(int place, const char *boot, int rc, const struct vm_err *err)
{
	VM_AUTO(vm_record_free) struct vm_record r = VM_RECORD_INIT;
	struct vm_err ignored = VM_ERR_INIT;

	if (place < 0)
		return;
	vm_record_set(&r, "boot", boot);
	vm_record_setf(&r, "identity", "%llu", vm_kvm_identity());
	vm_record_set(&r, "works", rc == 0 ? "yes" : "no");
	if (rc < 0) {
		vm_record_setf(&r, "at_ms", "%" PRIu64, vm_now_ms());
		vm_record_set(&r, "why", err->msg);
	}
	/* Only saves time: a full disk is no reason to fail. */
	(void)vm_record_write(&r, place, RECORD_FILE, RECORD, RECORD_VERSION, &ignored);
}

int vm_qemu_kvm_check(const struct vm_state *s, struct vm_deadline deadline, struct vm_err *err)
{
	VM_AUTO_FD int place = open_place(s);
	struct vm_procid self;
	int rc;

	if (vm_procid_self(&self, err) < 0)
		return -1;
	if (read_answer(place, self.boot, &rc, err) == 0)
		return rc;
	rc = vm_kvm_try(vm_deadline_min(deadline, vm_deadline_in(TRY_MS)), err);
	/* Permission is this caller's affair, not the host's. */
	if (rc == 0 || (err->kind != VM_DENIED && err->kind != VM_SYSTEM))
		keep_answer(place, self.boot, rc, err);
	if (rc < 0 && err->kind == VM_TIMED_OUT)
		err->kind = VM_UNSUPPORTED;
	return rc < 0 ? advise(err) : 0;
}
