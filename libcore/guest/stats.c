/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "guest/stats.h"

#include <stdlib.h>
#include <string.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/model.h>
#include <vm/xml.h>

#include "driver.h"
#include "host/netdev.h"
#include "host/task.h"
#include "model/domain.h"

#define ASK_STATE_MS 100 /* state of guests without watcher, all together */

#define FROM_QEMU                                                                                  \
	(VM_STATS_BALLOON | VM_STATS_VCPU | VM_STATS_IOTHREAD | VM_STATS_BLOCK | VM_STATS_DIRTY_RATE)
#define FROM_DOCUMENT (VM_STATS_BALLOON | VM_STATS_VCPU | VM_STATS_INTERFACE | VM_STATS_BLOCK)

void vm_stats_init(struct vm_stats *s)
{
	uint64_t *const numbers[] = {
	    &s->cpu_time_ns,	   &s->cpu_user_ns,	  &s->cpu_system_ns, &s->balloon_bytes,
	    &s->balloon_max_bytes, &s->rss_bytes,	  &s->swap_in_bytes, &s->swap_out_bytes,
	    &s->major_faults,	   &s->minor_faults,	  &s->unused_bytes,  &s->available_bytes,
	    &s->usable_bytes,	   &s->disk_caches_bytes, &s->updated_s,
	    &s->vcpus_max,	   &s->hugetlb_allocations, &s->hugetlb_failures,
	    &s->dirty_started_s,   &s->dirty_period_s,	  &s->dirty_mib_per_s,
	};

	*s = (struct vm_stats){.name = NULL};
	for (size_t i = 0; i < VM_COUNT(numbers); i++)
		*numbers[i] = VM_STATS_UNKNOWN;
}

static void free_threads(struct vm_stats_thread *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(v[i].name);
	free(v);
}

void vm_stats_free(struct vm_stats *s)
{
	free_threads(s->vcpus, s->n_vcpus);
	free_threads(s->iothreads, s->n_iothreads);
	for (size_t i = 0; i < s->n_interfaces; i++) {
		free(s->interfaces[i].name);
		free(s->interfaces[i].alias);
	}
	for (size_t i = 0; i < s->n_blocks; i++) {
		free(s->blocks[i].target);
		free(s->blocks[i].alias);
		free(s->blocks[i].path);
		free(s->blocks[i].node);
	}
	free(s->interfaces);
	free(s->blocks);
	free(s->name);
	*s = (struct vm_stats){.name = NULL};
}

void vm_stats_set_free(struct vm_stats_set *s)
{
	for (size_t i = 0; i < s->n; i++)
		vm_stats_free(&s->v[i]);
	free(s->v);
	*s = (struct vm_stats_set){0};
}

/* ---- one guest ---- */

struct reader {
	struct vm_guest guest;
	struct vm_xml *doc;
	struct vm_domain *domain;
	struct vm_stats_asked *asked;
};

static void load_document(struct reader *r, struct vm_stats *s)
{
	if (vm_xml_load_at(r->guest.run, VM_RUN_LIVE_XML, &r->doc, &s->err) < 0 ||
	    vm_domain_parse(r->doc, true, &r->domain, &s->err) < 0)
		r->domain = NULL;
}

static const char *balloon_alias(const struct vm_domain *d)
{
	const struct vm_memballoon *b;

	if (d == NULL || d->memballoons.n == 0)
		return NULL;
	b = d->memballoons.v[0];
	return b->dev.alias;
}

/* Opens a running guest and sends the questions. */
static void begin(struct reader *r, const struct vm_state *state, const struct vm_observer *observer,
		  unsigned sections, struct vm_deadline deadline, struct vm_stats *s)
{
	struct vm_procid qemu;

	if (vm_guest_open(state, s->name, VM_GUEST_ACTIVE, deadline, &r->guest, &s->err) < 0) {
		/* Off, or going off: what is said of it is its state. */
		if (s->err.kind == VM_NOT_RUNNING || s->err.kind == VM_NOT_FOUND)
			s->err = VM_ERR_INIT;
		return;
	}
	if (vm_record_get_procid(&r->guest.record, VM_KEY_PID, &qemu))
		s->pid = qemu.pid;
	if ((sections & FROM_DOCUMENT) != 0)
		load_document(r, s);
	if ((sections & FROM_QEMU) == 0 || s->status.life == VM_STALE)
		return;
	if (observer->stats_ask == NULL)
		vm_driver_lacks(observer->name, "statistics", &s->err);
	else
		(void)observer->stats_ask(&r->guest, sections & FROM_QEMU, balloon_alias(r->domain),
					&r->asked, &s->err);
}

static void read_cpu(struct vm_stats *s)
{
	uint64_t user, system;

	if (s->pid == 0 || !vm_process_times(s->pid, &user, &system))
		return;
	s->cpu_user_ns = user * 1000000;
	s->cpu_system_ns = system * 1000000;
	s->cpu_time_ns = (user + system) * 1000000;
}

static void read_threads(pid_t pid, struct vm_stats_thread *v, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct vm_task task;

		if (!vm_task_schedstat(pid, v[i].tid, &v[i].time_ns, &v[i].delay_ns))
			v[i].time_ns = v[i].delay_ns = VM_STATS_UNKNOWN;
		if (!vm_task_wait_sum(pid, v[i].tid, &v[i].wait_ns))
			v[i].wait_ns = VM_STATS_UNKNOWN;
		if (!vm_task_read(pid, v[i].tid, &task))
			continue;
		v[i].state = task.state == 'R'	 ? "running"
			     : task.state == 'D' ? "disk"
			     : task.state == 'T' ? "stopped"
						 : "idle";
	}
}

static void read_memory(const struct reader *r, struct vm_stats *s)
{
	struct vm_task task;

	if (s->pid != 0 && vm_task_read(s->pid, s->pid, &task))
		s->rss_bytes = task.rss_bytes;
	if (r->domain == NULL)
		return;
	s->balloon_max_bytes = r->domain->memory;
	/* QEMU has answered, and knows no balloon: the guest has all of it. */
	if (s->balloon_bytes == VM_STATS_UNKNOWN && s->err.kind == VM_OK)
		s->balloon_bytes = r->domain->memory;
}

static void read_interfaces(const struct reader *r, struct vm_stats *s)
{
	size_t n = r->domain != NULL ? r->domain->interfaces.n : 0;

	s->interfaces = vm_xcalloc(n + 1, sizeof(*s->interfaces));
	for (size_t i = 0; i < n && i < VM_STATS_MAX; i++) {
		const struct vm_interface *nic = r->domain->interfaces.v[i];
		struct vm_stats_interface *out = &s->interfaces[s->n_interfaces++];
		uint64_t u = VM_STATS_UNKNOWN;
		struct vm_netdev d = {u, u, u, u, u, u, u, u};

		if (nic->target != NULL)
			(void)vm_netdev_read(nic->target, &d);
		/* What the host's end sends the guest receives. */
		*out = (struct vm_stats_interface){
		    .name = vm_xstrdup(nic->target),
		    .alias = vm_xstrdup(nic->dev.alias),
		    .rx_bytes = d.tx_bytes,
		    .rx_packets = d.tx_packets,
		    .rx_errors = d.tx_errors,
		    .rx_dropped = d.tx_dropped,
		    .tx_bytes = d.rx_bytes,
		    .tx_packets = d.rx_packets,
		    .tx_errors = d.rx_errors,
		    .tx_dropped = d.rx_dropped,
		};
	}
}

/* Targets and paths; what is in no document was plugged in behind our back and keeps its alias
 * alone. */
static void name_blocks(const struct reader *r, struct vm_stats *s)
{
	for (size_t i = 0; r->domain != NULL && i < r->domain->disks.n; i++) {
		const struct vm_disk *d = r->domain->disks.v[i];

		for (size_t k = 0; d->dev.alias != NULL && k < s->n_blocks; k++) {
			struct vm_stats_block *b = &s->blocks[k];

			if (b->target != NULL || strcmp(b->alias, d->dev.alias) != 0)
				continue;
			b->target = vm_xstrdup(d->target);
			b->path = d->source != NULL ? vm_xstrdup(d->source->path) : NULL;
		}
	}
}

/* Collects the answers and adds what the kernel and the document know. */
static void finish(struct reader *r, const struct vm_observer *observer, unsigned sections,
		   struct vm_deadline deadline, struct vm_stats *s)
{
	/* One that is stopped does not answer, however long it is waited for. */
	if (s->status.life == VM_UNRESPONSIVE)
		deadline = vm_deadline_in(0);
	if (r->asked != NULL)
		(void)observer->stats_take(&r->asked, deadline, s, &s->err);
	if (r->guest.run >= 0) {
		read_cpu(s);
		read_threads(s->pid, s->vcpus, s->n_vcpus);
		read_threads(s->pid, s->iothreads, s->n_iothreads);
		if ((sections & VM_STATS_BALLOON) != 0)
			read_memory(r, s);
		if ((sections & VM_STATS_INTERFACE) != 0)
			read_interfaces(r, s);
		name_blocks(r, s);
		if (r->domain != NULL)
			s->vcpus_max = r->domain->vcpus;
		s->asked = sections;
	} else {
		s->asked = sections & VM_STATS_STATE;
	}
	vm_domain_free(r->domain);
	vm_xml_freep(&r->doc);
	vm_guest_close(&r->guest);
}

/* ---- all ---- */

int vm_stats_read(const struct vm_state *s, const struct vm_observer *observer,
		  const char *const *names, size_t n, unsigned sections,
		  struct vm_deadline deadline, struct vm_stats_set *ret, struct vm_err *err)
{
	VM_AUTO(vm_entries_free) struct vm_entries entries = {0};
	const struct vm_entries_want want = {.names = names,
					     .n_names = n,
					     .inactive = names != NULL,
					     .ask_ms = ASK_STATE_MS,
					     .deadline = deadline};
	VM_AUTO_FREE struct reader *readers = NULL;
	struct vm_stats_set set = {0};

	if (vm_entries_read(s, &want, &entries, err) < 0)
		return -1;
	readers = vm_xcalloc(entries.n + 1, sizeof(*readers));
	set.v = vm_xcalloc(entries.n + 1, sizeof(*set.v));
	set.n = entries.n;
	for (size_t i = 0; i < set.n; i++) {
		readers[i].guest = VM_GUEST_INIT;
		vm_stats_init(&set.v[i]);
		set.v[i].name = vm_xstrdup(entries.v[i].name);
		set.v[i].status = entries.v[i].status;
		if (entries.v[i].active)
			begin(&readers[i], s, observer, sections, deadline, &set.v[i]);
	}
	for (size_t i = 0; i < set.n; i++)
		finish(&readers[i], observer, sections, deadline, &set.v[i]);
	*ret = set;
	return 0;
}
