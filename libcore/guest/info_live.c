/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdlib.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/out.h>

#include "host/task.h"
#include "info_sections.h"
#include "model/domain.h"

static int show_cpu(struct vm_info *i, struct vm_out *out, struct vm_err *err)
{
	const struct vm_cpu *cpu = i->domain->cpu;
	pid_t pid = vm_info_pid(i);
	struct vm_task task;

	(void)err;
	vm_out_row(out);
	vm_out_str(out, "mode", cpu && cpu->mode ? vm_cpu_mode_words[cpu->mode] : NULL);
	vm_out_str(out, "model", cpu ? cpu->model : NULL);
	vm_out_u64(out, "sockets", cpu && cpu->sockets ? cpu->sockets : i->domain->vcpus);
	vm_out_u64(out, "dies", cpu && cpu->dies ? cpu->dies : 1);
	vm_out_u64(out, "cores", cpu && cpu->cores ? cpu->cores : 1);
	vm_out_u64(out, "threads", cpu && cpu->threads ? cpu->threads : 1);
	/* of the whole process: the main thread's own stat would leave out its vCPUs */
	if (pid && vm_process_time(pid, &task.time_ms))
		vm_out_u64(out, "time_ms", task.time_ms);
	else
		vm_out_null(out, "time_ms");
	vm_out_row_end(out);
	return 0;
}
static const struct vm_out_column cpu_columns[] = {
	{ "mode", "MODE" }, { "model", "MODEL" },   { "sockets", "SOCKETS" }, { "dies", "DIES" },
	{ "cores", "CORES" }, { "threads", "THREADS" }, { "time_ms", "TIME_MS" },
};
const struct vm_info_section vm_info_cpu = {
	.name = "cpu", .xml = true, .columns = cpu_columns, .n_columns = VM_COUNT(cpu_columns),
	.show = show_cpu,
};

static void out_thread(struct vm_out *out, pid_t pid, pid_t tid)
{
	VM_AUTO_FREE char *affinity = vm_task_affinity(tid);
	struct vm_task task;

	if (vm_task_read(pid, tid, &task)) {
		vm_out_str(out, "state", task.state == 'R' ? "running" : "idle");
		vm_out_u64(out, "host_cpu", (uint64_t)task.host_cpu);
		vm_out_u64(out, "time_ms", task.time_ms);
	} else {
		vm_out_null(out, "state");
		vm_out_null(out, "host_cpu");
		vm_out_null(out, "time_ms");
	}
	vm_out_str(out, "affinity", affinity);
}

static int show_vcpus(struct vm_info *i, struct vm_out *out, struct vm_err *err)
{
	(void)err;
	for (size_t n = 0; n < i->look.n_vcpus; n++) {
		vm_out_row(out);
		vm_out_u64(out, "n", i->look.vcpus[n].number);
		out_thread(out, vm_info_pid(i), i->look.vcpus[n].tid);
		vm_out_row_end(out);
	}
	for (uint64_t n = 0; !i->live && n < i->domain->vcpus; n++) {
		bool on = !i->domain->vcpus_current || n < i->domain->vcpus_current;

		vm_out_row(out);
		vm_out_u64(out, "n", n);
		vm_out_str(out, "state", on ? "off" : "unplugged");
		vm_out_null(out, "host_cpu");
		vm_out_null(out, "time_ms");
		vm_out_null(out, "affinity");
		vm_out_row_end(out);
	}
	return 0;
}
static const struct vm_out_column vcpu_columns[] = {
	{ "n", "N" }, { "state", "STATE" }, { "host_cpu", "HOST_CPU" }, { "time_ms", "TIME_MS" },
	{ "affinity", "AFFINITY" },
};
const struct vm_info_section vm_info_vcpus = {
	.name = "vcpus", .look = VM_LOOK_VCPUS, .xml = true, .columns = vcpu_columns,
	.n_columns = VM_COUNT(vcpu_columns), .show = show_vcpus,
};

static int list_iothreads(const struct vm_domain *d, struct vm_out *out)
{
	VM_AUTO_FREE uint64_t *ids = NULL;
	uint32_t n = vm_domain_iothreads(d, &ids);

	for (uint32_t i = 0; i < n; i++) {
		VM_AUTO_FREE char *name = vm_xasprintf("iothread%llu", (unsigned long long)ids[i]);

		vm_out_row(out);
		vm_out_str(out, "name", name);
		vm_out_str(out, "state", "off");
		vm_out_null(out, "host_cpu");
		vm_out_null(out, "time_ms");
		vm_out_null(out, "affinity");
		vm_out_row_end(out);
	}
	return 0;
}

static int show_iothreads(struct vm_info *i, struct vm_out *out, struct vm_err *err)
{
	(void)err;
	for (size_t n = 0; n < i->look.n_iothreads; n++) {
		vm_out_row(out);
		vm_out_str(out, "name", i->look.iothreads[n].name);
		out_thread(out, vm_info_pid(i), i->look.iothreads[n].tid);
		vm_out_row_end(out);
	}
	return i->live ? 0 : list_iothreads(i->domain, out);
}
static const struct vm_out_column iothread_columns[] = {
	{ "name", "NAME" }, { "state", "STATE" }, { "host_cpu", "HOST_CPU" },
	{ "time_ms", "TIME_MS" }, { "affinity", "AFFINITY" },
};
const struct vm_info_section vm_info_iothreads = {
	.name = "iothreads", .look = VM_LOOK_IOTHREADS, .xml = true, .columns = iothread_columns,
	.n_columns = VM_COUNT(iothread_columns), .show = show_iothreads,
};

static int show_memory(struct vm_info *i, struct vm_out *out, struct vm_err *err)
{
	pid_t pid = vm_info_pid(i);
	struct vm_task task;

	(void)err;
	vm_out_row(out);
	vm_out_u64(out, "current_bytes",
		   i->look.has_balloon		? i->look.balloon_bytes
		   : i->domain->current_memory && !i->live ? i->domain->current_memory
							   : i->domain->memory);
	vm_out_u64(out, "max_bytes", i->domain->memory);
	if (pid && vm_task_read(pid, pid, &task))
		vm_out_u64(out, "rss_bytes", task.rss_bytes);
	else
		vm_out_null(out, "rss_bytes");
	vm_out_row_end(out);
	return 0;
}
static const struct vm_out_column memory_columns[] = {
	{ "current_bytes", "CURRENT" }, { "max_bytes", "MAXIMUM" }, { "rss_bytes", "RSS" },
};
const struct vm_info_section vm_info_memory = {
	.name = "memory", .look = VM_LOOK_MEMORY, .xml = true, .columns = memory_columns,
	.n_columns = VM_COUNT(memory_columns), .show = show_memory,
};

static int show_jobs(struct vm_info *i, struct vm_out *out, struct vm_err *err)
{
	(void)err;
	for (size_t n = 0; n < i->look.n_jobs; n++) {
		const struct vm_look_job *j = &i->look.jobs[n];

		vm_out_row(out);
		vm_out_str(out, "type", j->type);
		vm_out_str(out, "state", j->state);
		vm_out_u64(out, "done_bytes", j->done);
		vm_out_u64(out, "total_bytes", j->total);
		vm_out_str(out, "target", j->target);
		vm_out_row_end(out);
	}
	return 0;
}
static const struct vm_out_column job_columns[] = {
	{ "type", "TYPE" }, { "state", "STATE" }, { "done_bytes", "DONE_BYTES" },
	{ "total_bytes", "TOTAL_BYTES" }, { "target", "TARGET" },
};
const struct vm_info_section vm_info_jobs = {
	.name = "jobs", .look = VM_LOOK_JOBS, .columns = job_columns,
	.n_columns = VM_COUNT(job_columns), .show = show_jobs,
};
