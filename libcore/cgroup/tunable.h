/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * What of a guest's share of its host can be shown and set: one table of rows {key, place in the document,
 * group, files of version 1 and 2, range, conversion}, and the functions that read and write those files.
 * Needs libc alone; the document's side is guest/tune_config.c.
 *
 * Source: Linux Documentation/admin-guide/cgroup-v1/{memory,cpusets,blkio-controller}.rst,
 * Documentation/scheduler/sched-bwc.rst, Documentation/admin-guide/cgroup-v2.rst; names of keys: virsh(1)'s
 * schedinfo, memtune, blkiotune and numatune.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <vm/cgroup.h>
#include <vm/err.h>

enum vm_tunable_kind {
	VM_TUNE_SHARES,
	VM_TUNE_PERIOD, /* microseconds */
	VM_TUNE_QUOTA,	/* microseconds in a period */
	VM_TUNE_BYTES,
	VM_TUNE_SWAP, /* bytes of memory and swap together; v2 counts swap alone: what hard_limit leaves of it */
	VM_TUNE_WEIGHT,
	VM_TUNE_RATE,  /* operations or bytes a second */
	VM_TUNE_WORD,  /* numa_mode: of the document only */
	VM_TUNE_NODES, /* "0-1,3" */
};
enum vm_tunable_where {
	VM_TUNE_IN_MAIN,
	VM_TUNE_IN_QEMU,
	VM_TUNE_IN_VCPUS, /* the group of each vCPU */
	VM_TUNE_IN_EMULATOR,
	VM_TUNE_IN_IOTHREADS,
	VM_TUNE_IN_DOCUMENT, /* no file */
};
struct vm_tunable_file {
	const char *name;  /* NULL = none on this version */
	const char *key;   /* "riops": of "8:0 riops=1"; NULL = the line is the value */
	uint64_t min, max; /* that the kernel takes */
};
struct vm_tunable {
	const char *key;	  /* "cpu_shares" */
	const char *xml;	  /* "cputune/shares"; of a device: below its <device> */
	uint8_t kind, where, controller; /* enum vm_cgroup_controller */
	bool per_device;
	uint64_t min, max;		 /* on any host */
	struct vm_tunable_file v1[2], v2[2]; /* the first that exists */
};
extern const struct vm_tunable vm_tunables[]; /* ends with a NULL key */
/* '-' is as good as '_'; NULL = no such key. */
const struct vm_tunable *vm_tunable_find(const char *key, size_t len);

struct vm_tune_value {
	bool unlimited;
	uint64_t n; /* bytes, microseconds, ... as the kind has it */
	char *text; /* WORD, NODES: owned; else NULL */
};
#define VM_TUNE_VALUE_INIT ((struct vm_tune_value){ .n = 0 })
void vm_tune_value_free(struct vm_tune_value *v);
/* As typed; memory is KiB without a suffix; "max" and -1: no limit.  VM_USAGE: no such value; VM_BAD_INPUT: out of
 * the range that all hosts have. */
int vm_tune_value_parse(const struct vm_tunable *t, const char *text, struct vm_tune_value *ret,
			struct vm_err *err);
/* What vm_tune_value_parse() takes: "4194304KiB", "max", "100000".  Owned. */
char *vm_tune_value_text(const struct vm_tunable *t, const struct vm_tune_value *v);

/* cpu_shares 2..262144 to cpu.weight's 1..10000, and back. */
uint64_t vm_tune_shares_to_weight(uint64_t shares);
uint64_t vm_tune_weight_to_shares(uint64_t weight);

/* One file of one group, found. */
struct vm_tune_place {
	const struct vm_tunable *t;
	const struct vm_tunable_file *file;
	bool v2;
	int dir;    /* of the group, owned */
	char *path; /* of the group, for people, owned */
	char *name; /* below the main group: ".", "qemu", "qemu/vcpu0"; owned */
	dev_t dev;  /* of a per_device row */
};
#define VM_TUNE_PLACE_INIT ((struct vm_tune_place){ .dir = -1 })
void vm_tune_place_close(struct vm_tune_place *p);
/*
 * Finds the file of a row in a group below the guest's main one.  VM_UNSUPPORTED: this host, or this guest, has no such
 * controller or file.  VM_NOT_FOUND: no such group (of threads).
 */
int vm_tune_place_open(const struct vm_cgroup *c, const struct vm_tunable *t, const char *group,
		       dev_t dev, struct vm_tune_place *ret, struct vm_err *err);
/* Number of a block device.  VM_BAD_INPUT: it is none. */
int vm_tune_device(const char *path, dev_t *ret, struct vm_err *err);

/* What the kernel has.  1: it has no weight of this device's own. */
int vm_tune_read(const struct vm_tune_place *p, struct vm_tune_value *ret, struct vm_err *err);
/* The file as it is, its lines joined by "; "; of a device, its line only (NULL = none).  Owned. */
int vm_tune_read_raw(const struct vm_tune_place *p, char **ret, struct vm_err *err);
/*
 * What is to be written for a value.  convert: shares become weights on v2.  hard: for VM_TUNE_SWAP on v2, the hard limit
 * that will be, NULL = the one there is.  VM_BAD_INPUT names file, value and limit.  *ret is owned.
 */
int vm_tune_compose(const struct vm_tune_place *p, const struct vm_tune_value *v, bool convert,
		    const struct vm_tune_value *hard, char **ret, struct vm_err *err);
/* What is to be written to bring back what there is now.  Owned. */
int vm_tune_restore_text(const struct vm_tune_place *p, char **ret, struct vm_err *err);
/* VM_HYPERVISOR: the kernel, or the group above, refuses; VM_UNSUPPORTED: no such file. */
int vm_tune_write(const struct vm_tune_place *p, const char *text, struct vm_err *err);
