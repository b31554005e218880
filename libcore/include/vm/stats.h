/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* Counters of a running guest (vm-stats): what QEMU, the kernel and the document know. */
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <vm/err.h>
#include <vm/state.h>

#define VM_STATS_UNKNOWN UINT64_MAX
#define VM_STATS_MAX	 4096u /* of anything a guest has; more is refused */

enum vm_stats_section { /* bits, in the order in which they are shown */
			VM_STATS_STATE = 1,
			VM_STATS_CPU = 2,
			VM_STATS_BALLOON = 4,
			VM_STATS_VCPU = 8,
			VM_STATS_IOTHREAD = 16,
			VM_STATS_INTERFACE = 32,
			VM_STATS_BLOCK = 64,
			VM_STATS_DIRTY_RATE = 128,
			VM_STATS_ALL = 255,
};
/* All numbers may be VM_STATS_UNKNOWN, all texts NULL. */
struct vm_stats_thread { /* vCPU or I/O thread */
	char *name;	 /* I/O thread: "iothread1" */
	uint64_t number; /* vCPU */
	pid_t tid;
	const char *state; /* "running", "blocked" ...: a constant */
	uint64_t time_ns;  /* on a CPU */
	uint64_t delay_ns; /* ready to run, and waiting for a CPU */
	uint64_t wait_ns;  /* the scheduler's own count of it, where the kernel keeps that (vCPU) */
	uint64_t poll_max_ns, poll_grow, poll_shrink; /* I/O thread: how long it polls */
};
struct vm_stats_interface { /* as the guest sees it: rx is what it received */
	char *name;	    /* on the host: "vnet0" */
	char *alias;	    /* "net0" */
	uint64_t rx_bytes, rx_packets, rx_errors, rx_dropped;
	uint64_t tx_bytes, tx_packets, tx_errors, tx_dropped;
};
struct vm_stats_block {
	char *target; /* "vda" */
	char *alias;  /* "virtio-disk0" */
	char *path;
	char *node; /* the driver's name of what it reads from */
	uint64_t rd_requests, rd_bytes, rd_time_ns, rd_errors;
	uint64_t wr_requests, wr_bytes, wr_time_ns, wr_errors;
	uint64_t fl_requests, fl_time_ns; /* flushes */
	uint64_t capacity_bytes, allocation_bytes;
	uint64_t physical_bytes; /* of the file or device */
	uint64_t highest_bytes; /* end of the highest byte written since the start */
};
struct vm_stats {
	char *name;
	struct vm_status status;
	pid_t pid;
	uint64_t cpu_time_ns, cpu_user_ns, cpu_system_ns; /* of all QEMU's threads */
	/* Memory: what the guest has, may have, and what of it the host holds; then what the
	 * guest's own driver tells, if it was asked to (guest-stats-polling-interval). */
	uint64_t balloon_bytes, balloon_max_bytes, rss_bytes;
	uint64_t swap_in_bytes, swap_out_bytes, major_faults, minor_faults, unused_bytes,
	    available_bytes, usable_bytes, disk_caches_bytes, updated_s, hugetlb_allocations, hugetlb_failures;
	/* How fast the guest changes its memory, as QEMU measured last: constants, seconds, MiB. */
	const char *dirty_state, *dirty_mode;
	uint64_t dirty_started_s, dirty_period_s, dirty_mib_per_s;
	uint64_t vcpus_max;
	struct vm_stats_thread *vcpus, *iothreads;
	size_t n_vcpus, n_iothreads;
	struct vm_stats_interface *interfaces;
	size_t n_interfaces;
	struct vm_stats_block *blocks;
	size_t n_blocks;
	unsigned asked;	   /* sections that are filled */
	struct vm_err err; /* kind VM_OK, or why some are not */
};
/* Everything unknown. */
void vm_stats_init(struct vm_stats *s);
void vm_stats_free(struct vm_stats *s);
