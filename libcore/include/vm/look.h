/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* What a running guest says of itself when asked (driver->look): the live part of vm-info and vm-stats. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum vm_look_what { /* bits */
	VM_LOOK_VCPUS = 1,
	VM_LOOK_IOTHREADS = 2,
	VM_LOOK_MEMORY = 4,
	VM_LOOK_BLOCKS = 8,
	VM_LOOK_JOBS = 16,
	VM_LOOK_GRAPHICS = 32,
	VM_LOOK_HOSTDEVS = 64,
};
struct vm_look_thread {
	char *name; /* I/O threads: "iothread1"; vCPUs: NULL */
	uint64_t number;
	pid_t tid;
};
struct vm_look_block {
	char *alias; /* of the device: "virtio-disk0" */
	char *error; /* "none", "failed", "nospace"; NULL = unknown */
	bool has_size;
	uint64_t capacity, allocation; /* bytes */
	bool tray_open, tray_known;
};
struct vm_look_job {
	char *type, *state, *target; /* "backup", "running", "vda"; NULL = unknown */
	uint64_t done, total;	     /* bytes */
};
/* A device of the host that the hypervisor has, whoever gave it. */
struct vm_look_hostdev {
	char *alias;  /* "hostdev0"; the path by which the hypervisor knows one that has no name */
	char *type;   /* its own word: "vfio-pci", "usb-host" ...; "nvme": a block node */
	char *device; /* "0000:01:00.0", "usb:001:004", "usb:1-4", "scsi:0:0:1:0", "mdev:UUID", "vhost:naa..."; NULL = unknown */
};
struct vm_look {
	struct vm_look_thread *vcpus, *iothreads;
	size_t n_vcpus, n_iothreads;
	struct vm_look_block *blocks;
	size_t n_blocks;
	struct vm_look_job *jobs;
	size_t n_jobs;
	bool has_balloon;
	uint64_t balloon_bytes; /* what the guest has now */
	char *vnc_host;		/* NULL = no VNC server; a path for a socket */
	uint64_t vnc_port;	/* 0 = a socket */
	bool has_hostdevs;	/* it said what it has: */
	struct vm_look_hostdev *hostdevs;
	char **aliases; /* of all devices that have one, of the host or not */
	size_t n_hostdevs, n_aliases;
};
#define VM_LOOK_INIT ((struct vm_look){ 0 })
#define VM_LOOK_MAX  4096u /* of anything; more is refused */
void vm_look_free(struct vm_look *l);
