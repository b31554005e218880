/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * What a QEMU binary can do: asked of the binary once, then kept in a cache under the binary's
 * identity (device, inode, size, times) and under the times of the directories its modules are
 * loaded from.
 *
 * The cache is <lib>/caps/NAME, a record (vm/record.h) of format VM_RECORD_CAPS, replaced whole:
 * probing twice at once costs time and nothing else.  A cache that cannot be written is no error.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <vm/deadline.h>
#include <vm/err.h>

struct vm_state;
struct vm_qemu_caps; /* opaque, immutable */

#define VM_RECORD_CAPS	       "vm-qemu-caps"
#define VM_RECORD_CAPS_VERSION 1

/*
 * Path of the emulator (owned): `given` if not NULL, else vm.conf's, else qemu-system-ARCH in PATH.
 * VM_NOT_FOUND names it; VM_DENIED names the directory that cannot be searched, or says that it is
 * not executable.  s may be NULL.
 */
int vm_qemu_emulator(const struct vm_state *s, const char *given, const char *arch, char **ret,
		     struct vm_err *err);

/* From the cache, else by running the binary (about 0.1 s).  VM_TIMED_OUT: it hangs; VM_HYPERVISOR:
 * it ended, with its own last lines.  s may be NULL: no cache is used. */
int vm_qemu_caps_get(const struct vm_state *s, const char *emulator, struct vm_deadline deadline,
		     struct vm_qemu_caps **ret, struct vm_err *err);
/* As vm_qemu_caps_get() from the cache alone, without running or writing anything: 0, or 1 = not
 * cached. Needs libc alone. */
int vm_qemu_caps_cached(const struct vm_state *s, const char *emulator, struct vm_qemu_caps **ret,
			struct vm_err *err);
/* A running guest keeps those it was started with: the file dirfd/name. */
int vm_qemu_caps_save(const struct vm_qemu_caps *c, int dirfd, const char *name,
		      struct vm_err *err);
int vm_qemu_caps_load(int dirfd, const char *name, struct vm_qemu_caps **ret, struct vm_err *err);
/* NULL is accepted, NULL is left behind. */
void vm_qemu_caps_free(struct vm_qemu_caps **c);

/*
 * Is it there?  `what` is one of
 *   "type:iothread"		  a QOM type (devices and objects)
 *   "device:virtio-net-pci.rss"  a property of a device; of the devices of the table in
 * caps_probe.c "command:blockdev-add", "command:migrate.detach"  a QMP command, an argument of it
 *   "event:DEVICE_DELETED"
 *   "option:sandbox", "option:sandbox.spawn"  a command line option that has parameters, one of
 * them "schema:NAME"		  an ability of the table of schema paths in caps_probe.c
 *   "machine:pc-q35-7.2", "cpu:host", "tpm:tpm-crb"
 *   "kvm"			  the binary was built with KVM (not: that the host has it)
 * "device:NAME" without a property is "type:NAME".  Anything else is a programming error.
 */
bool vm_qemu_caps_has(const struct vm_qemu_caps *c, const char *what);
/* VM_UNSUPPORTED "EMULATOR has no device vfio-pci" unless it is there. */
int vm_qemu_caps_need(const struct vm_qemu_caps *c, const char *what, struct vm_err *err);

const char *vm_qemu_caps_emulator(const struct vm_qemu_caps *c); /* resolved path */
const char *vm_qemu_caps_arch(const struct vm_qemu_caps *c);	 /* "x86_64" */
const char *vm_qemu_caps_version(const struct vm_qemu_caps *c);	 /* "7.2.22": for messages */

struct vm_qemu_machine {
	char name[80];	      /* canonical: "pc-q35-7.2" */
	char alias[80];	      /* "q35"; "" = none */
	char default_cpu[80]; /* QOM type; "" = not told */
	char ram_id[80];      /* id of the memory backend: "pc.ram"; "" = none */
	uint64_t cpu_max;
	bool is_default, hotpluggable_cpus, numa_mem, deprecated;
};
/* By name or alias (NULL: the default one); VM_UNSUPPORTED if the binary does not know it. */
int vm_qemu_caps_machine(const struct vm_qemu_caps *c, const char *name,
			 struct vm_qemu_machine *ret, struct vm_err *err);
/* The index-th machine; false: there are no more. */
bool vm_qemu_caps_machine_at(const struct vm_qemu_caps *c, size_t index,
			     struct vm_qemu_machine *ret);

struct vm_qemu_cpu {
	char name[80];	   /* "Skylake-Client", "host", "max" */
	char alias_of[80]; /* versioned model it stands for; "" = none */
	bool is_static, migration_safe, deprecated;
};
/* The index-th CPU model; false: there are no more. */
bool vm_qemu_caps_cpu_at(const struct vm_qemu_caps *c, size_t index, struct vm_qemu_cpu *ret);
