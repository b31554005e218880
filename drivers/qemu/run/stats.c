/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Source: qapi/{machine,misc,block-core}.json and docs/interop/virtio-balloon-stats.rst, QEMU 7.2.
 */
#include "qemu/run/stats.h"

#include <stdlib.h>
#include <string.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/sock.h>
#include <vm/strbuf.h>

#include "qemu/qmp/monitor.h"
#include "qemu/qmp/qmp.h"

/* How long the connection itself may take: the socket's queue of clients is full. */
#define CONNECT_MS 100

static const json_t *member(const json_t *object, const char *name)
{
	return json_object_get(object, name);
}

static uint64_t number(const json_t *object, const char *name)
{
	const json_t *v = member(object, name);

	/* -1 is what the balloon's driver says of what it does not know: VM_STATS_UNKNOWN too. */
	return json_is_integer(v) ? (uint64_t)json_integer_value(v) : VM_STATS_UNKNOWN;
}

static int take_list(const json_t *list, const char *command, size_t *ret_n, struct vm_err *err)
{
	if (!json_is_array(list) || json_array_size(list) > VM_STATS_MAX)
		return vm_err_set(err, VM_HYPERVISOR, "%s: QEMU sent no list of at most %u",
				  command, VM_STATS_MAX);
	*ret_n = json_array_size(list);
	return 0;
}

static int take_threads(const json_t *reply, const char *command, struct vm_stats_thread **ret,
			size_t *ret_n, struct vm_err *err)
{
	size_t n = 0;

	if (take_list(reply, command, &n, err) < 0)
		return -1;
	*ret = vm_xcalloc(n + 1, sizeof(**ret));
	*ret_n = n;
	for (size_t i = 0; i < n; i++) {
		const json_t *item = json_array_get(reply, i);

		(*ret)[i] = (struct vm_stats_thread){
		    .name = vm_xstrdup(json_string_value(member(item, "id"))),
		    .number = number(item, "cpu-index"),
		    .tid = (pid_t)json_integer_value(member(item, "thread-id")),
		    .time_ns = VM_STATS_UNKNOWN,
		    .delay_ns = VM_STATS_UNKNOWN,
		    .wait_ns = VM_STATS_UNKNOWN,
		    .poll_max_ns = number(item, "poll-max-ns"),
		    .poll_grow = number(item, "poll-grow"),
		    .poll_shrink = number(item, "poll-shrink"),
		};
	}
	return 0;
}

static int take_vcpus(const json_t *reply, struct vm_stats *s, struct vm_err *err)
{
	return take_threads(reply, "query-cpus-fast", &s->vcpus, &s->n_vcpus, err);
}

static int take_iothreads(const json_t *reply, struct vm_stats *s, struct vm_err *err)
{
	return take_threads(reply, "query-iothreads", &s->iothreads, &s->n_iothreads, err);
}

static int take_balloon(const json_t *reply, struct vm_stats *s, struct vm_err *err)
{
	(void)err;
	s->balloon_bytes = number(reply, "actual");
	return 0;
}

static int take_guest_stats(const json_t *reply, struct vm_stats *s, struct vm_err *err)
{
	const json_t *v = member(reply, "stats");
	uint64_t updated = number(reply, "last-update");

	(void)err;
	/* Never told anything: what stands there are QEMU's zeros. */
	if (updated == 0 || updated == VM_STATS_UNKNOWN)
		return 0;
	s->updated_s = updated;
	s->swap_in_bytes = number(v, "stat-swap-in");
	s->swap_out_bytes = number(v, "stat-swap-out");
	s->major_faults = number(v, "stat-major-faults");
	s->minor_faults = number(v, "stat-minor-faults");
	s->unused_bytes = number(v, "stat-free-memory");
	s->available_bytes = number(v, "stat-total-memory");
	s->usable_bytes = number(v, "stat-available-memory");
	s->disk_caches_bytes = number(v, "stat-disk-caches");
	s->hugetlb_allocations = number(v, "stat-htlb-pgalloc");
	s->hugetlb_failures = number(v, "stat-htlb-pgfail");
	return 0;
}

/* "/machine/peripheral/virtio-disk0/virtio-backend" or "virtio-disk0". Owned. */
static char *alias_of(const char *qdev)
{
	static const char prefix[] = "/machine/peripheral/";

	if (qdev == NULL || qdev[0] == '\0')
		return NULL;
	if (strncmp(qdev, prefix, sizeof(prefix) - 1) == 0)
		qdev += sizeof(prefix) - 1;
	return vm_xstrndup(qdev, strcspn(qdev, "/"));
}

static int take_blockstats(const json_t *reply, struct vm_stats *s, struct vm_err *err)
{
	size_t n = 0;

	if (take_list(reply, "query-blockstats", &n, err) < 0)
		return -1;
	s->blocks = vm_xcalloc(n + 1, sizeof(*s->blocks));
	for (size_t i = 0; i < n; i++) {
		const json_t *item = json_array_get(reply, i), *v = member(item, "stats");
		struct vm_stats_block *b = &s->blocks[s->n_blocks];

		*b = (struct vm_stats_block){
		    .alias = alias_of(json_string_value(member(item, "qdev"))),
		    .rd_requests = number(v, "rd_operations"),
		    .rd_bytes = number(v, "rd_bytes"),
		    .rd_time_ns = number(v, "rd_total_time_ns"),
		    .rd_errors = number(v, "failed_rd_operations"),
		    .wr_requests = number(v, "wr_operations"),
		    .wr_bytes = number(v, "wr_bytes"),
		    .wr_time_ns = number(v, "wr_total_time_ns"),
		    .wr_errors = number(v, "failed_wr_operations"),
		    .fl_requests = number(v, "flush_operations"),
		    .fl_time_ns = number(v, "flush_total_time_ns"),
		    .capacity_bytes = VM_STATS_UNKNOWN,
		    .allocation_bytes = VM_STATS_UNKNOWN,
		    .physical_bytes = VM_STATS_UNKNOWN,
		    .highest_bytes = number(member(member(item, "parent"), "stats"), "wr_highest_offset"),
		};
		/* Without a device it is the machine's own (flash). */
		s->n_blocks += b->alias != NULL;
	}
	return 0;
}

static int take_blocks(const json_t *reply, struct vm_stats *s, struct vm_err *err)
{
	size_t n = 0;

	if (take_list(reply, "query-block", &n, err) < 0)
		return -1;
	for (size_t i = 0; i < n; i++) {
		const json_t *item = json_array_get(reply, i);
		const json_t *image = member(member(item, "inserted"), "image");
		VM_AUTO_FREE char *alias = alias_of(json_string_value(member(item, "qdev")));

		for (size_t k = 0; alias != NULL && k < s->n_blocks; k++) {
			struct vm_stats_block *b = &s->blocks[k];

			if (strcmp(b->alias, alias) != 0)
				continue;
			free(b->node);
			b->node = vm_xstrdup(
			    json_string_value(member(member(item, "inserted"), "node-name")));
			b->capacity_bytes = number(image, "virtual-size");
			b->allocation_bytes = number(image, "actual-size");
		}
	}
	return 0;
}

/* What holds a disk's data is the node with the same number (argv_disk.c), or the only one it has. */
static bool holds(const char *storage, const char *node)
{
	static const char format[] = "-format", suffix[] = "-storage";
	size_t len = strlen(node), n = sizeof(format) - 1;

	if (strcmp(storage, node) == 0)
		return true;
	return len > n && strcmp(node + len - n, format) == 0 &&
	       strncmp(storage, node, len - n) == 0 && strcmp(storage + len - n, suffix) == 0;
}

static int take_nodes(const json_t *reply, struct vm_stats *s, struct vm_err *err)
{
	size_t n = 0;

	if (take_list(reply, "query-named-block-nodes", &n, err) < 0)
		return -1;
	for (size_t i = 0; i < n; i++) {
		const json_t *item = json_array_get(reply, i);
		const char *name = json_string_value(member(item, "node-name"));

		for (size_t k = 0; name != NULL && k < s->n_blocks; k++)
			if (s->blocks[k].node != NULL && holds(name, s->blocks[k].node))
				s->blocks[k].physical_bytes =
				    number(member(item, "image"), "virtual-size");
	}
	return 0;
}

static const char *constant(const json_t *v, const char *const *words, size_t n)
{
	const char *text = json_string_value(v);

	for (size_t i = 0; text != NULL && i < n; i++)
		if (strcmp(text, words[i]) == 0)
			return words[i];
	return NULL;
}

static int take_dirty_rate(const json_t *reply, struct vm_stats *s, struct vm_err *err)
{
	static const char *const states[] = {"unstarted", "measuring", "measured"};
	static const char *const modes[] = {"page-sampling", "dirty-ring", "dirty-bitmap"};

	(void)err;
	s->dirty_state = constant(member(reply, "status"), states, VM_COUNT(states));
	s->dirty_mode = constant(member(reply, "mode"), modes, VM_COUNT(modes));
	s->dirty_started_s = number(reply, "start-time");
	s->dirty_period_s = number(reply, "calc-time");
	s->dirty_mib_per_s = number(reply, "dirty-rate");
	return 0;
}

/* What is asked for each section, in this order; a refusal of what is optional is an answer too. */
static const struct row {
	enum vm_stats_section what;
	const char *command;
	bool optional, balloon; /* balloon: of that device */
	int (*take)(const json_t *reply, struct vm_stats *s, struct vm_err *err);
} rows[] = {
    {VM_STATS_BALLOON, "query-balloon", true, false, take_balloon},
    {VM_STATS_BALLOON, "qom-get", true, true, take_guest_stats},
    {VM_STATS_VCPU, "query-cpus-fast", false, false, take_vcpus},
    {VM_STATS_IOTHREAD, "query-iothreads", false, false, take_iothreads},
    {VM_STATS_BLOCK, "query-blockstats", false, false, take_blockstats},
    {VM_STATS_BLOCK, "query-block", false, false, take_blocks},
    {VM_STATS_BLOCK, "query-named-block-nodes", false, false, take_nodes},
    {VM_STATS_DIRTY_RATE, "query-dirty-rate", true, false, take_dirty_rate},
};

struct vm_stats_asked {
	const struct vm_guest *guest; /* borrowed */
	struct vm_qmp *q;
	uint64_t ids[VM_COUNT(rows)]; /* 0 = not asked */
};

static void asked_free(struct vm_stats_asked **a)
{
	if (*a != NULL)
		vm_qmp_close(&(*a)->q);
	free(*a);
	*a = NULL;
}

static int send_row(struct vm_stats_asked *a, size_t i, const char *balloon, struct vm_err *err)
{
	VM_AUTO_FREE char *path = NULL;

	if (!rows[i].balloon)
		return vm_qmp_send(a->q, &a->ids[i], err, rows[i].command, NULL);
	if (balloon == NULL)
		return 0;
	path = vm_xasprintf("/machine/peripheral/%s", balloon);
	return vm_qmp_send(a->q, &a->ids[i], err, rows[i].command, "{s:s, s:s}", "path", path,
			   "property", "guest-stats");
}

int vm_qemu_stats_ask(struct vm_guest *g, unsigned what, const char *balloon,
		      struct vm_stats_asked **ret, struct vm_err *err)
{
	VM_AUTO(asked_free) struct vm_stats_asked *a = vm_xcalloc(1, sizeof(*a));
	int fd;

	/* The spare socket: looking does not stand in the way of commands. */
	if (vm_sock_connect(g->run, VM_RUN_SPARE, vm_deadline_in(CONNECT_MS), &fd, err) < 0)
		return err->kind == VM_TIMED_OUT ? vm_qemu_silent(g, err) : -1;
	a->guest = g;
	a->q = vm_qmp_new(fd);
	vm_qmp_after_others(a->q, 0);
	if (vm_qmp_send(a->q, NULL, err, "qmp_capabilities", NULL) < 0)
		return -1;
	for (size_t i = 0; i < VM_COUNT(rows); i++)
		if ((what & rows[i].what) != 0 && send_row(a, i, balloon, err) < 0)
			return -1;
	*ret = vm_take_ptr(&a);
	return 0;
}

int vm_qemu_stats_take(struct vm_stats_asked **asked, struct vm_deadline deadline,
		       struct vm_stats *s, struct vm_err *err)
{
	VM_AUTO(asked_free) struct vm_stats_asked *a = vm_take_ptr(asked);

	for (size_t i = 0; i < VM_COUNT(rows); i++) {
		struct vm_err why = VM_ERR_INIT;
		json_t *reply = NULL;
		int rc;

		if (a->ids[i] == 0)
			continue;
		if (vm_qmp_recv(a->q, a->ids[i], deadline, &reply, &why) < 0) {
			if (vm_qmp_refused(a->q) != NULL && rows[i].optional)
				continue;
			*err = why;
			return vm_qmp_refused(a->q) != NULL ? -1 : vm_qemu_silent(a->guest, err);
		}
		rc = rows[i].take(reply, s, err);
		json_decref(reply);
		if (rc < 0)
			return -1;
	}
	return 0;
}
