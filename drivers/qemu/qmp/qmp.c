/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "qemu/qmp/qmp.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/sock.h>
#include <vm/strbuf.h>

#include "qemu/qmp/qmp_line.h"

#define OTHERS_MAX 8 /* replies to others that are passed over */
#define READ_CHUNK   65536
#define NAME_MAX_LEN 128 /* of an event or error class */

struct pending {
	uint64_t id;
	char command[64];
	bool forgotten, answered;
	json_t *root; /* the whole reply */
	char *text;   /* value of "return" as it came */
};

struct queued_event {
	struct vm_qmp_event ev;
	size_t bytes;
};

struct vm_qmp {
	int fd;
	bool greeted;
	unsigned version;
	size_t line_max;
	uint64_t base, last_id; /* ours are above base; base 0: nobody was here before */
	unsigned others;	/* replies to somebody else that came */
	char *in; /* bytes [in_at, in_len) are unread; [in_at, in_seen) hold no newline */
	size_t in_at, in_seen, in_len, in_cap;
	char *out;
	size_t out_at, out_len, out_cap;
	struct pending *pending;
	size_t npending;
	struct queued_event *events; /* ring of VM_QMP_EVENTS_MAX */
	size_t ev_first, ev_n, ev_bytes;
	uint64_t ev_lost;
	void (*idle)(void *arg); /* vm_qmp_while_waiting() */
	void *idle_arg;
	unsigned idle_ms;
	char refused[NAME_MAX_LEN]; /* "" = none */
	struct vm_err dead;	    /* kind VM_OK = alive */
};

static void pending_clear(struct pending *p)
{
	json_decref(p->root);
	free(p->text);
	*p = (struct pending){0};
}

struct vm_qmp *vm_qmp_new(int fd)
{
	struct vm_qmp *q = vm_xcalloc(1, sizeof(*q));

	/* Every read and write is preceded by poll(): should this fail, nothing is lost. */
	fcntl(fd, F_SETFL, O_NONBLOCK);
	q->fd = fd;
	q->line_max = VM_QMP_LINE_MAX;
	q->pending = vm_xcalloc(VM_QMP_PENDING_MAX, sizeof(*q->pending));
	q->events = vm_xcalloc(VM_QMP_EVENTS_MAX, sizeof(*q->events));
	return q;
}

void vm_qmp_close(struct vm_qmp **qp)
{
	struct vm_qmp *q = *qp;
	int saved = errno;

	*qp = NULL;
	if (q == NULL)
		return;
	for (size_t i = 0; i < q->npending; i++)
		pending_clear(&q->pending[i]);
	for (size_t i = 0; i < q->ev_n; i++)
		vm_qmp_event_free(&q->events[(q->ev_first + i) % VM_QMP_EVENTS_MAX].ev);
	close(q->fd);
	free(q->pending);
	free(q->events);
	free(q->in);
	free(q->out);
	free(q);
	errno = saved;
}

void vm_qmp_line_max(struct vm_qmp *q, size_t bytes)
{
	q->line_max = bytes;
}

int vm_qmp_fd(const struct vm_qmp *q)
{
	return q->fd;
}

bool vm_qmp_broken(const struct vm_qmp *q)
{
	return q->dead.kind != VM_OK;
}

const char *vm_qmp_refused(const struct vm_qmp *q)
{
	return q->refused[0] != '\0' ? q->refused : NULL;
}

unsigned vm_qmp_version(const struct vm_qmp *q)
{
	return q->version;
}

uint64_t vm_qmp_events_lost(const struct vm_qmp *q)
{
	return q->ev_lost;
}

/* The connection is of no use any more; *err says why, now and at every further call. */
static int die(struct vm_qmp *q, struct vm_err *err)
{
	q->dead = *err;
	return -1;
}

static int check_alive(const struct vm_qmp *q, struct vm_err *err)
{
	if (q->dead.kind == VM_OK)
		return 0;
	*err = q->dead;
	return -1;
}

/* ---- events ---- */

void vm_qmp_event_free(struct vm_qmp_event *ev)
{
	free(ev->name);
	json_decref(ev->data);
	*ev = (struct vm_qmp_event){0};
}

static struct queued_event take_event(struct vm_qmp *q)
{
	struct queued_event e = q->events[q->ev_first];

	assert(q->ev_n > 0);
	q->ev_first = (q->ev_first + 1) % VM_QMP_EVENTS_MAX;
	q->ev_n--;
	q->ev_bytes -= e.bytes;
	return e;
}

static int on_event(struct vm_qmp *q, json_t *root, size_t bytes, struct vm_err *err)
{
	struct queued_event e = {.bytes = bytes};
	json_t *data = json_object_get(root, "data");
	json_int_t seconds, micros;
	const char *name;

	if (json_unpack(root, "{s:s, s:{s:I, s:I}}", "event", &name, "timestamp", "seconds",
			&seconds, "microseconds", &micros) < 0 ||
	    strlen(name) >= NAME_MAX_LEN || (data != NULL && !json_is_object(data)))
		return vm_err_set(err, VM_HYPERVISOR, "QEMU sent a malformed event");
	while (q->ev_n > 0 &&
	       (q->ev_n == VM_QMP_EVENTS_MAX || q->ev_bytes + bytes > VM_QMP_EVENTS_BYTES)) {
		struct queued_event old = take_event(q);

		vm_qmp_event_free(&old.ev);
		q->ev_lost++;
	}
	e.ev.name = vm_xstrdup(name);
	/* QEMU sends -1 when it could not ask the clock. */
	if (seconds >= 0 && micros >= 0)
		e.ev.time_us = (uint64_t)seconds * 1000000 + (uint64_t)micros;
	e.ev.data = json_incref(data);
	q->events[(q->ev_first + q->ev_n++) % VM_QMP_EVENTS_MAX] = e;
	q->ev_bytes += bytes;
	return 0;
}

/* ---- lines ---- */

static int on_greeting(struct vm_qmp *q, const json_t *root, struct vm_err *err)
{
	int major, minor, micro;

	if (json_unpack((json_t *)root, "{s:{s:{s:{s:i, s:i, s:i}}}}", "QMP", "version", "qemu",
			"major", &major, "minor", &minor, "micro", &micro) < 0 ||
	    major < 0 || major > 9999 || minor < 0 || minor > 99 || micro < 0 || micro > 999)
		return vm_err_set(err, VM_HYPERVISOR,
				  "what answers is no QMP server: there is no greeting");
	q->version = (unsigned)(10000 * major + 100 * minor + (micro > 99 ? 99 : micro));
	q->greeted = true;
	return 0;
}

static struct pending *find_pending(struct vm_qmp *q, uint64_t id)
{
	for (size_t i = 0; i < q->npending; i++)
		if (q->pending[i].id == id)
			return &q->pending[i];
	return NULL;
}

static void drop_pending(struct vm_qmp *q, struct pending *p)
{
	pending_clear(p);
	*p = q->pending[--q->npending];
}

/*
 * Who was here before may have gone while QEMU was at its command: the reply comes to whoever is next.  QEMU is at one at a
 * time, and forgets the rest.  Source: monitor/qmp.c of QEMU 7.2, qmp_dispatcher_co().
 */
static bool is_of_others(struct vm_qmp *q, const json_t *id)
{
	json_int_t n = json_integer_value(id);

	if (q->base == 0 || (json_is_integer(id) && n > 0 && (uint64_t)n > q->base && (uint64_t)n <= q->last_id))
		return false;
	return q->others++ < OTHERS_MAX;
}

/* Takes over root. */
static int on_reply(struct vm_qmp *q, json_t *root, const char *line,
		    const struct vm_qmp_line *scan, struct vm_err *err)
{
	const json_t *id = json_object_get(root, "id");
	const char *class = NULL, *desc = NULL;
	struct pending *p = NULL;
	int rc = 0;

	if (is_of_others(q, id)) {
		json_decref(root);
		return 0;
	}
	if (json_is_integer(id))
		p = find_pending(q, (uint64_t)json_integer_value(id));
	if (json_object_get(root, "error") != NULL &&
	    (json_unpack(root, "{s:{s:s, s:s}}", "error", "class", &class, "desc", &desc) < 0 ||
	     json_object_get(root, "return") != NULL || strlen(class) >= NAME_MAX_LEN))
		rc = vm_err_set(err, VM_HYPERVISOR, "QEMU sent a malformed error");
	else if (p == NULL && id == NULL && desc != NULL)
		rc = vm_err_set(err, VM_HYPERVISOR, "QEMU did not understand us: %s", desc);
	else if (p == NULL || p->answered)
		rc = vm_err_set(err, VM_HYPERVISOR,
				"QEMU sent a reply to a command that was not given");
	if (rc < 0) {
		json_decref(root);
		return -1;
	}
	if (p->forgotten) {
		json_decref(root);
		drop_pending(q, p);
		return 0;
	}
	p->answered = true;
	p->root = root;
	if (scan->ret_len > 0)
		p->text = vm_xstrndup(line + scan->ret_at, scan->ret_len);
	return 0;
}

static int on_line(struct vm_qmp *q, const char *line, size_t len, struct vm_err *err)
{
	struct vm_qmp_line scan;
	json_t *root = NULL;
	int rc;

	if (len > 0 && line[len - 1] == '\r')
		len--;
	if (vm_qmp_line_decode(line, len, &scan, &root, err) < 0)
		return -1;
	if (!q->greeted) {
		rc = on_greeting(q, root, err);
	} else if (json_object_get(root, "return") != NULL ||
		   json_object_get(root, "error") != NULL) {
		return on_reply(q, root, line, &scan, err);
	} else if (json_object_get(root, "event") != NULL) {
		rc = on_event(q, root, len, err);
	} else {
		rc = vm_err_set(err, VM_HYPERVISOR,
				"QEMU sent a line that is neither a reply nor an event");
	}
	json_decref(root);
	return rc;
}

/* Handles the complete lines that have been read. */
static int take_lines(struct vm_qmp *q, struct vm_err *err)
{
	char *end;

	while ((end = q->in_seen < q->in_len
			  ? memchr(q->in + q->in_seen, '\n', q->in_len - q->in_seen)
			  : NULL) != NULL) {
		size_t start = q->in_at, len = (size_t)(end - (q->in + start));

		q->in_at = q->in_seen = start + len + 1;
		if (len > q->line_max)
			return vm_err_set(err, VM_HYPERVISOR,
					  "QEMU sent a line longer than %zu bytes", q->line_max);
		if (on_line(q, q->in + start, len, err) < 0)
			return -1;
	}
	q->in_seen = q->in_len;
	if (q->in_len - q->in_at > q->line_max)
		return vm_err_set(err, VM_HYPERVISOR, "QEMU sent a line longer than %zu bytes",
				  q->line_max);
	return 0;
}

/* ---- transport ---- */

static void make_room(struct vm_qmp *q)
{
	if (q->in_at > 0) {
		memmove(q->in, q->in + q->in_at, q->in_len - q->in_at);
		q->in_len -= q->in_at;
		q->in_seen -= q->in_at;
		q->in_at = 0;
	}
	if (q->in_cap - q->in_len < READ_CHUNK) {
		q->in_cap = q->in_cap + q->in_cap / 2 + READ_CHUNK;
		q->in = vm_xreallocarray(q->in, q->in_cap, 1);
	}
}

static int ended(struct vm_err *err)
{
	return vm_err_set(err, VM_HYPERVISOR, "QEMU closed its monitor");
}

/* Reads once: 0 = something came, 1 = nothing there. */
static int fill(struct vm_qmp *q, struct vm_err *err)
{
	ssize_t n;

	make_room(q);
	n = read(q->fd, q->in + q->in_len, q->in_cap - q->in_len);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 1;
	if (n < 0 && errno != ECONNRESET)
		return vm_err_sys_kind(err, VM_HYPERVISOR, "read from QEMU's monitor");
	if (n <= 0)
		return ended(err);
	q->in_len += (size_t)n;
	return 0;
}

/* Writes what the socket takes now, the descriptor (-1 = none) along with the first byte. */
static int flush(struct vm_qmp *q, int fd, struct vm_err *err)
{
	while (q->out_at < q->out_len) {
		union {
			struct cmsghdr align;
			char buf[CMSG_SPACE(sizeof(int))];
		} control = {.buf = {0}};
		struct iovec iov = {q->out + q->out_at, q->out_len - q->out_at};
		struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
		ssize_t n;

		if (fd >= 0) {
			msg.msg_control = control.buf;
			msg.msg_controllen = sizeof(control.buf);
			*CMSG_FIRSTHDR(&msg) = (struct cmsghdr){.cmsg_level = SOL_SOCKET,
								.cmsg_type = SCM_RIGHTS,
								.cmsg_len = CMSG_LEN(sizeof(int))};
			memcpy(CMSG_DATA(CMSG_FIRSTHDR(&msg)), &fd, sizeof(fd));
		}
		n = sendmsg(q->fd, &msg, MSG_NOSIGNAL);
		if (n < 0 && errno == EAGAIN)
			return fd >= 0 ? 1 : 0;
		if (n < 0 && errno == EINTR)
			continue;
		/* What QEMU said before it ended is worth more than EPIPE: the next read tells. */
		if (n < 0 && (errno == EPIPE || errno == ECONNRESET))
			break;
		if (n < 0)
			return vm_err_sys_kind(err, VM_HYPERVISOR, "write to QEMU's monitor");
		q->out_at += (size_t)n;
		fd = -1;
	}
	q->out_at = q->out_len = 0;
	return 0;
}

void vm_qmp_while_waiting(struct vm_qmp *q, unsigned ms, void (*fn)(void *arg), void *arg)
{
	q->idle = fn;
	q->idle_arg = arg;
	q->idle_ms = ms;
}

static int wait_for(struct vm_qmp *q, struct pollfd *p, struct vm_deadline deadline)
{
	int rc;

	if (q->idle == NULL)
		return poll(p, 1, vm_deadline_poll(deadline));
	rc = poll(p, 1, 0);
	if (rc != 0)
		return rc;
	q->idle(q->idle_arg);
	return poll(p, 1, vm_deadline_poll(vm_deadline_min(deadline, vm_deadline_in(q->idle_ms))));
}

/* One round of writing and reading: 0 = something came, 1 = the deadline has passed. */
static int pump(struct vm_qmp *q, struct vm_deadline deadline, struct vm_err *err)
{
	struct pollfd p = {.fd = q->fd};
	int rc = 0;

	if (flush(q, -1, err) < 0)
		return die(q, err);
	p.events = (short)(POLLIN | (q->out_len > 0 ? POLLOUT : 0));
	if (!vm_wait_interrupted())
		rc = wait_for(q, &p, deadline);
	if (vm_wait_interrupted()) {
		errno = EINTR;
		return vm_err_sys(err, "wait for QEMU");
	}
	if (rc < 0 && errno != EINTR)
		return vm_err_sys(err, "poll");
	if (rc > 0 && (p.revents & (POLLIN | POLLHUP | POLLERR)) != 0) {
		rc = fill(q, err);
		if (rc < 0 || (rc == 0 && take_lines(q, err) < 0))
			return die(q, err);
	}
	return vm_deadline_passed(deadline) ? 1 : 0;
}

static int silent(struct vm_err *err, const char *what)
{
	vm_err_set(err, VM_TIMED_OUT, "QEMU does not answer%s%s", what[0] != '\0' ? " " : "", what);
	vm_err_hint(err,
		    "it is stopped, hung, or its monitor is held by another client; vm-destroy "
		    "ends it");
	return -1;
}

/* ---- commands ---- */

static int queue_out(struct vm_qmp *q, const char *text, size_t len, struct vm_err *err)
{
	if (q->out_at > 0) {
		memmove(q->out, q->out + q->out_at, q->out_len - q->out_at);
		q->out_len -= q->out_at;
		q->out_at = 0;
	}
	if (len > VM_QMP_OUT_MAX - q->out_len)
		return vm_err_set(err, VM_TIMED_OUT,
				  "QEMU does not take commands: more than %u bytes are waiting",
				  VM_QMP_OUT_MAX);
	if (q->out_len + len > q->out_cap) {
		q->out_cap = q->out_len + len + 4096;
		q->out = vm_xreallocarray(q->out, q->out_cap, 1);
	}
	memcpy(q->out + q->out_len, text, len);
	q->out_len += len;
	return 0;
}

/* Queues one command line and remembers it.  arguments: JSON text or NULL. */
static int queue_command(struct vm_qmp *q, const char *command, const char *arguments,
			 uint64_t *ret_id, struct vm_err *err)
{
	VM_AUTO(vm_strbuf_free) struct vm_strbuf line = VM_STRBUF_INIT;
	struct pending *p;

	/* Late replies to what nobody waits for any more make room. */
	if (!vm_qmp_broken(q) && q->npending == VM_QMP_PENDING_MAX &&
	    pump(q, vm_deadline_in(0), err) < 0)
		return -1;
	if (check_alive(q, err) < 0)
		return -1;
	if (q->npending == VM_QMP_PENDING_MAX)
		return vm_err_set(err, VM_IN_USE, "%u commands wait for QEMU already",
				  VM_QMP_PENDING_MAX);
	vm_strbuf_puts(&line, "{\"execute\":");
	vm_strbuf_json(&line, command);
	if (arguments != NULL)
		vm_strbuf_printf(&line, ",\"arguments\":%s", arguments);
	vm_strbuf_printf(&line, ",\"id\":%" PRIu64 "}\n", q->last_id + 1);
	if (queue_out(q, line.text, line.len, err) < 0)
		return -1;
	p = &q->pending[q->npending++];
	*p = (struct pending){.id = ++q->last_id, .forgotten = ret_id == NULL};
	snprintf(p->command, sizeof(p->command), "%s", command);
	if (ret_id != NULL)
		*ret_id = p->id;
	return 0;
}

static int send_line(struct vm_qmp *q, const char *command, const char *arguments, uint64_t *ret_id,
		     struct vm_err *err)
{
	if (queue_command(q, command, arguments, ret_id, err) < 0)
		return -1;
	return flush(q, -1, err) < 0 ? die(q, err) : 0;
}

int vm_qmp_send_json(struct vm_qmp *q, const char *command, json_t *arguments, uint64_t *ret_id,
		     struct vm_err *err)
{
	VM_AUTO_FREE char *text = NULL;

	if (arguments != NULL) {
		text = json_dumps(arguments, JSON_COMPACT);
		if (text == NULL || text[0] != '{')
			return vm_err_set(err, VM_BAD_INPUT, "%s: the arguments are no JSON object",
					  command);
	}
	return send_line(q, command, text, ret_id, err);
}

/* Is it the text of an object?  It is sent as it stands: what the decoder cannot hold (64 unsigned
 * bits) reaches QEMU whole. */
static int check_arguments(const char *command, const char *arguments, struct vm_err *err)
{
	struct vm_err why = VM_ERR_INIT;
	json_t *value;

	if (vm_qmp_line_decode(arguments, strlen(arguments), NULL, &value, &why) < 0)
		return vm_err_set(err, VM_BAD_INPUT, "%s: the arguments are no JSON object",
				  command);
	json_decref(value);
	return 0;
}

int vm_qmp_send_text(struct vm_qmp *q, const char *command, const char *arguments, uint64_t *ret_id,
		     struct vm_err *err)
{
	if (check_arguments(command, arguments, err) < 0)
		return -1;
	return send_line(q, command, arguments, ret_id, err);
}

static int send_v(struct vm_qmp *q, uint64_t *ret_id, struct vm_err *err, const char *command,
		  const char *fmt, va_list ap)
{
	json_t *arguments = NULL;
	json_error_t why;
	int rc;

	if (fmt != NULL) {
		arguments = json_vpack_ex(&why, 0, fmt, ap);
		if (arguments == NULL)
			return vm_err_set(err, VM_BAD_INPUT, "%s: an argument is no UTF-8 (%s)",
					  command, why.text);
	}
	rc = vm_qmp_send_json(q, command, arguments, ret_id, err);
	json_decref(arguments);
	return rc;
}

int vm_qmp_send(struct vm_qmp *q, uint64_t *ret_id, struct vm_err *err, const char *command,
		const char *fmt, ...)
{
	va_list ap;
	int rc;

	va_start(ap, fmt);
	rc = send_v(q, ret_id, err, command, fmt, ap);
	va_end(ap);
	return rc;
}

void vm_qmp_forget(struct vm_qmp *q, uint64_t id)
{
	struct pending *p = find_pending(q, id);

	if (p == NULL)
		return;
	if (p->answered)
		drop_pending(q, p);
	else
		p->forgotten = true;
}

/* Waits until the command is answered and returns its entry, which stays; or NULL. */
static struct pending *wait_reply(struct vm_qmp *q, uint64_t id, struct vm_deadline deadline,
				  struct vm_err *err)
{
	struct pending *p = find_pending(q, id);
	int rc;

	q->refused[0] = '\0';
	assert(p != NULL && !p->forgotten);
	while (!p->answered) {
		if (check_alive(q, err) < 0) {
			vm_err_wrap(err, "%s", p->command);
			return NULL;
		}
		rc = pump(q, deadline, err);
		/* Entries move when others are dropped. */
		p = find_pending(q, id);
		if (rc < 0 && vm_qmp_broken(q))
			continue;
		if (rc < 0 || (rc > 0 && !p->answered)) {
			p->forgotten = true;
			if (rc > 0)
				silent(err, q->greeted ? p->command : "");
			return NULL;
		}
	}
	return p;
}

static int refuse(struct vm_qmp *q, const struct pending *p, struct vm_err *err)
{
	const json_t *error = json_object_get(p->root, "error");
	const char *class = json_string_value(json_object_get(error, "class"));

	snprintf(q->refused, sizeof(q->refused), "%s", class);
	return vm_err_set(err,
			  strcmp(class, "CommandNotFound") == 0 ? VM_UNSUPPORTED : VM_HYPERVISOR,
			  "%s: %s", p->command, json_string_value(json_object_get(error, "desc")));
}

/* What `return` holds, and the text of it as QEMU wrote it; each where it is wanted. */
static int take_reply(struct vm_qmp *q, uint64_t id, struct vm_deadline deadline,
		      json_t **ret_value, char **ret_text, struct vm_err *err)
{
	struct pending *p = wait_reply(q, id, deadline, err);
	json_t *value;
	int rc = 0;

	if (p == NULL)
		return -1;
	value = json_object_get(p->root, "return");
	if (value == NULL)
		rc = refuse(q, p, err);
	else if (ret_value != NULL)
		*ret_value = json_incref(value);
	else if (ret_text != NULL && p->text != NULL)
		*ret_text = vm_take_ptr(&p->text);
	else if (ret_text != NULL) /* the member's name was spelt with escapes */
		*ret_text = json_dumps(value, JSON_ENCODE_ANY);
	drop_pending(q, p);
	return rc;
}

int vm_qmp_recv(struct vm_qmp *q, uint64_t id, struct vm_deadline deadline, json_t **ret_value,
		struct vm_err *err)
{
	return take_reply(q, id, deadline, ret_value, NULL, err);
}

int vm_qmp_recv_text(struct vm_qmp *q, uint64_t id, struct vm_deadline deadline, char **ret_text,
		     struct vm_err *err)
{
	return take_reply(q, id, deadline, NULL, ret_text, err);
}

int vm_qmp_call(struct vm_qmp *q, struct vm_deadline deadline, json_t **ret_value,
		struct vm_err *err, const char *command, const char *fmt, ...)
{
	uint64_t id;
	va_list ap;
	int rc;

	va_start(ap, fmt);
	rc = send_v(q, &id, err, command, fmt, ap);
	va_end(ap);
	return rc < 0 ? -1 : vm_qmp_recv(q, id, deadline, ret_value, err);
}

int vm_qmp_hmp(struct vm_qmp *q, const char *line, struct vm_deadline deadline, char **ret_text,
	       struct vm_err *err)
{
	json_t *value = NULL;

	if (vm_qmp_call(q, deadline, &value, err, "human-monitor-command", "{s:s}", "command-line",
			line) < 0)
		return -1;
	if (!json_is_string(value)) {
		json_decref(value);
		return vm_err_set(err, VM_HYPERVISOR,
				  "human-monitor-command: QEMU returned no text");
	}
	*ret_text = vm_xstrdup(json_string_value(value));
	json_decref(value);
	return 0;
}

/* ---- greeting ---- */

int vm_qmp_negotiate(struct vm_qmp *q, struct vm_deadline deadline, struct vm_err *err)
{
	return vm_qmp_call(q, deadline, NULL, err, "qmp_capabilities", NULL);
}

void vm_qmp_after_others(struct vm_qmp *q, uint64_t base)
{
	if (base == 0)
		base = (uint64_t)getpid() << 32 | (uint32_t)vm_now_ms();
	q->base = q->last_id = base;
}

int vm_qmp_connect(int dirfd, const char *name, struct vm_deadline deadline, struct vm_qmp **ret,
		   struct vm_err *err)
{
	VM_AUTO(vm_qmp_close) struct vm_qmp *q = NULL;
	int fd;

	if (vm_sock_connect(dirfd, name, deadline, &fd, err) < 0)
		return -1;
	q = vm_qmp_new(fd);
	vm_qmp_after_others(q, 0);
	if (vm_qmp_negotiate(q, deadline, err) < 0)
		return -1;
	*ret = vm_take_ptr(&q);
	return 0;
}

/* ---- descriptors ---- */

/* The descriptor travels with the first byte of the line, which therefore must go out now. */
static int flush_fd(struct vm_qmp *q, uint64_t id, int fd, struct vm_deadline deadline,
		    struct vm_err *err)
{
	int rc;

	while ((rc = flush(q, fd, err)) > 0) {
		struct pollfd p = {.fd = q->fd, .events = POLLOUT};

		if (poll(&p, 1, vm_deadline_poll(deadline)) <= 0 &&
		    (vm_wait_interrupted() || vm_deadline_passed(deadline))) {
			struct pending *entry = find_pending(q, id);

			q->out_at = q->out_len = 0;
			silent(err, entry->command);
			drop_pending(q, entry);
			return -1;
		}
	}
	return rc < 0 ? die(q, err) : 0;
}

int vm_qmp_send_fd(struct vm_qmp *q, const char *command, const char *arguments, int fd,
		   struct vm_deadline deadline, uint64_t *ret_id, struct vm_err *err)
{
	uint64_t id;

	for (size_t i = 0; fd >= 0 && i < q->npending; i++)
		if (!q->pending[i].answered)
			return vm_err_set(err, VM_IN_USE, "%s: QEMU has not answered %s yet",
					  command, q->pending[i].command);
	if ((arguments != NULL && check_arguments(command, arguments, err) < 0) ||
	    queue_command(q, command, arguments, &id, err) < 0 ||
	    flush_fd(q, id, fd, deadline, err) < 0)
		return -1;
	*ret_id = id;
	return 0;
}

int vm_qmp_getfd(struct vm_qmp *q, const struct vm_qmp_named_fd *fds, size_t n,
		 struct vm_deadline deadline, struct vm_err *err)
{
	for (size_t i = 0; i < n; i++) {
		VM_AUTO(vm_strbuf_free) struct vm_strbuf arguments = VM_STRBUF_INIT;
		uint64_t id;

		vm_strbuf_puts(&arguments, "{\"fdname\":");
		vm_strbuf_json(&arguments, fds[i].name);
		vm_strbuf_putc(&arguments, '}');
		if (vm_qmp_send_fd(q, "getfd", arguments.text, fds[i].fd, deadline, &id, err) < 0 ||
		    vm_qmp_recv(q, id, deadline, NULL, err) < 0)
			return -1;
	}
	return 0;
}

int vm_qmp_event_next(struct vm_qmp *q, struct vm_deadline deadline, struct vm_qmp_event *ret,
		      struct vm_err *err)
{
	int rc = 0;

	q->refused[0] = '\0';
	while (q->ev_n == 0) {
		if (check_alive(q, err) < 0)
			return -1;
		if (rc > 0)
			return 1;
		rc = pump(q, deadline, err);
		if (rc < 0)
			return -1;
	}
	*ret = take_event(q).ev;
	return 0;
}
