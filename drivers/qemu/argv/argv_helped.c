/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Devices with a program of the host behind them: file systems, the TPM. */
#include <stdlib.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/strbuf.h>

#include "qemu/plan/plan.h"

/* A socket to a program that we start, or to one at a path. */
static void socket_to(struct vm_plan *p, const char *id, const void *object, const char *alias,
		      const char *path)
{
	struct vm_strbuf b = VM_STRBUF_INIT;

	vm_kv_word(&b, "socket");
	vm_kv_str(&b, "id", id);
	if (path != NULL)
		vm_kv_str(&b, "path", path);
	else
		vm_kv_u64(&b, "fd", (uint64_t)vm_argv_fd(p->a, VM_FD_HELPER, object, 0, alias, NULL));
	vm_argv_opt(p->a, "-chardev", b.text);
	vm_strbuf_free(&b);
}

void vm_plan_filesystems(struct vm_plan *p)
{
	for (uint32_t i = 0; i < p->d->filesystems.n; i++) {
		const struct vm_filesystem *f = p->d->filesystems.v[i];
		VM_AUTO_FREE char *alias = vm_qemu_alias(p->d, VM_FAMILY_FILESYSTEM, &f->dev);
		VM_AUTO_FREE char *id = vm_xasprintf("chr-vu-%s", alias);
		uint64_t index = vm_plan_boot_index(p, VM_FAMILY_FILESYSTEM, &f->dev);
		struct vm_qobj o = VM_QOBJ_INIT;

		socket_to(p, id, f, alias, f->socket);
		vm_qobj_str(&o, "driver", "vhost-user-fs-pci");
		vm_plan_virtio(&o, &f->virtio);
		vm_qobj_str(&o, "id", alias);
		vm_qobj_str(&o, "chardev", id);
		if (f->queue_size != 0)
			vm_qobj_u64(&o, "queue-size", f->queue_size);
		vm_qobj_str(&o, "tag", f->tag);
		if (index != 0)
			vm_qobj_u64(&o, "bootindex", index);
		vm_plan_address(p, &o, &f->dev);
		vm_qobj_emit(&o, p->a, "-device");
	}
}

void vm_plan_tpms(struct vm_plan *p)
{
	for (uint32_t i = 0; i < p->d->tpms.n; i++) {
		const struct vm_tpm *t = p->d->tpms.v[i];
		VM_AUTO_FREE char *alias = vm_qemu_alias(p->d, VM_FAMILY_TPM, &t->dev);
		VM_AUTO_FREE char *backend = vm_xasprintf("tpm-%s", alias);
		struct vm_strbuf b = VM_STRBUF_INIT;
		struct vm_qobj o = VM_QOBJ_INIT;

		socket_to(p, "chrtpm", t, alias, t->path);
		vm_kv_word(&b, "emulator");
		vm_kv_str(&b, "id", backend);
		vm_kv_str(&b, "chardev", "chrtpm");
		vm_argv_opt(p->a, "-tpmdev", b.text);
		vm_strbuf_free(&b);
		vm_qobj_str(&o, "driver", vm_tpm_model_words[t->model]);
		vm_qobj_str(&o, "tpmdev", backend);
		vm_qobj_str(&o, "id", alias);
		vm_qobj_emit(&o, p->a, "-device");
	}
}
