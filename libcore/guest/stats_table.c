/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* virsh's words: virConnectGetAllDomainStats() of libvirt's API reference. */
#include "guest/stats_table.h"

#include <vm/cleanup.h>

#define ROW(type, member, word, virsh_, kind_, ...)                                                 \
	{                                                                                          \
		.key = word, .off = offsetof(struct type, member), .kind = VM_DATUM_##kind_,       \
		.virsh = virsh_, __VA_ARGS__                                                       \
	}
#define N(type, member, word, virsh, metric_, help_)                                               \
	ROW(type, member, word, virsh, NUMBER, .metric = metric_, .help = help_)
#define G(type, member, word, virsh, metric_, help_)                                               \
	ROW(type, member, word, virsh, NUMBER, .metric = metric_, .gauge = true, .help = help_)
#define S(type, member, word, virsh, metric_, help_)                                               \
	ROW(type, member, word, virsh, SECONDS, .metric = metric_, .help = help_)
#define T(type, member, word) ROW(type, member, word, NULL, TEXT, .metric = NULL)

/* clang-format off */
static const struct vm_datum cpu_data[] = {
	S(vm_stats, cpu_time_ns, "time_ns", "time", "vm_cpu_seconds_total", "CPU time of all threads of the guest's process."),
	S(vm_stats, cpu_user_ns, "user_ns", "user", "vm_cpu_user_seconds_total", "Its part in user mode, guest code included."),
	S(vm_stats, cpu_system_ns, "system_ns", "system", "vm_cpu_system_seconds_total", "Its part in the kernel."),
	{ .kind = VM_DATUM_END },
};
static const struct vm_datum balloon_data[] = {
	G(vm_stats, balloon_bytes, "current_bytes", "current", "vm_memory_bytes", "Memory the guest has now."),
	G(vm_stats, balloon_max_bytes, "maximum_bytes", "maximum", "vm_memory_max_bytes", "Memory the guest may have."),
	G(vm_stats, rss_bytes, "rss_bytes", "rss", "vm_memory_rss_bytes", "Memory of the host that its process holds."),
	N(vm_stats, swap_in_bytes, "swap_in_bytes", "swap_in", "vm_memory_swap_in_bytes_total", "Swapped in, as the guest tells."),
	N(vm_stats, swap_out_bytes, "swap_out_bytes", "swap_out", "vm_memory_swap_out_bytes_total", "Swapped out, as the guest tells."),
	N(vm_stats, major_faults, "major_faults", "major_fault", "vm_memory_major_faults_total", "Page faults with I/O, as the guest tells."),
	N(vm_stats, minor_faults, "minor_faults", "minor_fault", "vm_memory_minor_faults_total", "Page faults without I/O, as the guest tells."),
	G(vm_stats, unused_bytes, "unused_bytes", "unused", "vm_memory_unused_bytes", "Free memory, as the guest tells."),
	G(vm_stats, available_bytes, "available_bytes", "available", "vm_memory_available_bytes", "All memory the guest sees, as it tells."),
	G(vm_stats, usable_bytes, "usable_bytes", "usable", "vm_memory_usable_bytes", "Memory usable without swapping, as the guest tells."),
	G(vm_stats, disk_caches_bytes, "disk_caches_bytes", "disk_caches", "vm_memory_disk_caches_bytes", "Caches of files, as the guest tells."),
	N(vm_stats, hugetlb_allocations, "hugetlb_allocations", "hugetlb_pgalloc", "vm_memory_hugetlb_allocations_total", "Huge pages it got, as the guest tells."),
	N(vm_stats, hugetlb_failures, "hugetlb_failures", "hugetlb_pgfail", "vm_memory_hugetlb_failures_total", "Huge pages it did not get, as the guest tells."),
	G(vm_stats, updated_s, "updated_s", "last-update", "vm_memory_updated_timestamp_seconds", "When the guest told last."),
	{ .kind = VM_DATUM_END },
};
static const struct vm_datum vcpu_data[] = {
	N(vm_stats_thread, number, "number", NULL, NULL, NULL),
	T(vm_stats_thread, state, "state"),
	S(vm_stats_thread, time_ns, "time_ns", "time", "vm_vcpu_seconds_total", "Time a virtual CPU was on a CPU."),
	S(vm_stats_thread, delay_ns, "delay_ns", "delay", "vm_vcpu_delay_seconds_total", "Time it could have run, and waited for a CPU."),
	S(vm_stats_thread, wait_ns, "wait_ns", "wait", "vm_vcpu_wait_seconds_total", "Time it waited to be scheduled, where the kernel counts it."),
	{ .kind = VM_DATUM_END },
};
static const struct vm_datum iothread_data[] = {
	T(vm_stats_thread, name, "name"),
	T(vm_stats_thread, state, "state"),
	S(vm_stats_thread, time_ns, "time_ns", "time", "vm_iothread_seconds_total", "Time an I/O thread was on a CPU."),
	S(vm_stats_thread, delay_ns, "delay_ns", "delay", "vm_iothread_delay_seconds_total", "Time it could have run, and waited for a CPU."),
	G(vm_stats_thread, poll_max_ns, "poll_max_ns", "poll-max-ns", "vm_iothread_poll_max_ns", "How long it polls at most."),
	G(vm_stats_thread, poll_grow, "poll_grow", "poll-grow", "vm_iothread_poll_grow", "Factor by which it polls longer; 0 = QEMU's own."),
	G(vm_stats_thread, poll_shrink, "poll_shrink", "poll-shrink", "vm_iothread_poll_shrink", "Divisor by which it polls shorter; 0 = QEMU's own."),
	{ .kind = VM_DATUM_END },
};
static const struct vm_datum interface_data[] = {
	T(vm_stats_interface, name, "name"),
	T(vm_stats_interface, alias, "alias"),
	N(vm_stats_interface, rx_bytes, "rx_bytes", "rx.bytes", "vm_interface_receive_bytes_total", "Bytes the guest received."),
	N(vm_stats_interface, rx_packets, "rx_packets", "rx.pkts", "vm_interface_receive_packets_total", "Packets the guest received."),
	N(vm_stats_interface, rx_errors, "rx_errors", "rx.errs", "vm_interface_receive_errors_total", "Errors on the way to the guest."),
	N(vm_stats_interface, rx_dropped, "rx_dropped", "rx.drop", "vm_interface_receive_dropped_total", "Packets dropped on the way to the guest."),
	N(vm_stats_interface, tx_bytes, "tx_bytes", "tx.bytes", "vm_interface_transmit_bytes_total", "Bytes the guest sent."),
	N(vm_stats_interface, tx_packets, "tx_packets", "tx.pkts", "vm_interface_transmit_packets_total", "Packets the guest sent."),
	N(vm_stats_interface, tx_errors, "tx_errors", "tx.errs", "vm_interface_transmit_errors_total", "Errors of what the guest sent."),
	N(vm_stats_interface, tx_dropped, "tx_dropped", "tx.drop", "vm_interface_transmit_dropped_total", "Packets of the guest that were dropped."),
	{ .kind = VM_DATUM_END },
};
static const struct vm_datum block_data[] = {
	T(vm_stats_block, target, "target"),
	T(vm_stats_block, alias, "alias"),
	T(vm_stats_block, path, "path"),
	N(vm_stats_block, rd_requests, "rd_requests", "rd.reqs", "vm_block_reads_total", "Read requests."),
	N(vm_stats_block, rd_bytes, "rd_bytes", "rd.bytes", "vm_block_read_bytes_total", "Bytes read."),
	S(vm_stats_block, rd_time_ns, "rd_time_ns", "rd.times", "vm_block_read_seconds_total", "Time spent on reads."),
	N(vm_stats_block, rd_errors, "rd_errors", NULL, "vm_block_read_errors_total", "Reads that failed."),
	N(vm_stats_block, wr_requests, "wr_requests", "wr.reqs", "vm_block_writes_total", "Write requests."),
	N(vm_stats_block, wr_bytes, "wr_bytes", "wr.bytes", "vm_block_written_bytes_total", "Bytes written."),
	S(vm_stats_block, wr_time_ns, "wr_time_ns", "wr.times", "vm_block_write_seconds_total", "Time spent on writes."),
	N(vm_stats_block, wr_errors, "wr_errors", NULL, "vm_block_write_errors_total", "Writes that failed."),
	N(vm_stats_block, fl_requests, "fl_requests", "fl.reqs", "vm_block_flushes_total", "Flush requests."),
	S(vm_stats_block, fl_time_ns, "fl_time_ns", "fl.times", "vm_block_flush_seconds_total", "Time spent on flushes."),
	G(vm_stats_block, capacity_bytes, "capacity_bytes", "capacity", "vm_block_capacity_bytes", "Size of the disk."),
	G(vm_stats_block, allocation_bytes, "allocation_bytes", NULL, "vm_block_allocation_bytes", "What its image takes on the host."),
	G(vm_stats_block, physical_bytes, "physical_bytes", "physical", "vm_block_physical_bytes", "Size of the file or device it is in."),
	G(vm_stats_block, highest_bytes, "highest_bytes", "allocation", "vm_block_highest_bytes", "End of the highest byte written since the start."),
	{ .kind = VM_DATUM_END },
};
static const struct vm_datum dirty_data[] = {
	T(vm_stats, dirty_state, "state"),
	G(vm_stats, dirty_started_s, "started_s", "calc_start_time", "vm_dirty_rate_started_timestamp_seconds", "When its measurement began, by the host's clock since its start."),
	G(vm_stats, dirty_period_s, "period_s", "calc_period", "vm_dirty_rate_period_seconds", "For how long it was measured."),
	G(vm_stats, dirty_mib_per_s, "mib_per_s", "megabytes_per_second", "vm_dirty_rate_mib_per_second", "Memory that the guest writes to, in MiB a second."),
	T(vm_stats, dirty_mode, "mode"),
	{ .kind = VM_DATUM_END },
};
#define LIST(member, type) offsetof(struct vm_stats, member), offsetof(struct vm_stats, n_##member), sizeof(struct type)
const struct vm_stats_table vm_stats_tables[] = {
	{ VM_STATS_STATE, "state", "state", "state, its reason, and since when", NULL, 0, 0, 0 },
	{ VM_STATS_CPU, "cpu-total", "cpu", "CPU time of the guest's process", cpu_data, 0, 0, 0 },
	{ VM_STATS_BALLOON, "balloon", "balloon", "memory, and what the guest says of it", balloon_data, 0, 0, 0 },
	{ VM_STATS_VCPU, "vcpu", "vcpus", "each virtual CPU", vcpu_data, LIST(vcpus, vm_stats_thread) },
	{ VM_STATS_IOTHREAD, "iothread", "iothreads", "each I/O thread", iothread_data, LIST(iothreads, vm_stats_thread) },
	{ VM_STATS_INTERFACE, "interface", "interfaces", "each network interface", interface_data,
	  LIST(interfaces, vm_stats_interface) },
	{ VM_STATS_BLOCK, "block", "blocks", "each disk", block_data, LIST(blocks, vm_stats_block) },
	{ VM_STATS_DIRTY_RATE, "dirtyrate", "dirty_rate", "the rate at which the guest changes its memory, as last measured", dirty_data,
	  0, 0, 0 },
};
/* clang-format on */
const size_t vm_stats_tables_n = VM_COUNT(vm_stats_tables);
