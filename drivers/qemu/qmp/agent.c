/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "agent.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/out.h>
#include <vm/sock.h>
#include <vm/strbuf.h>

#include "qmp_line.h"

#define DELIMITER '\xff'

struct vm_agent {
	int fd;
	struct vm_strbuf in; /* read and not used yet */
};

void vm_agent_close(struct vm_agent **a)
{
	if (!*a)
		return;
	vm_cleanup_fd(&(*a)->fd);
	vm_strbuf_free(&(*a)->in);
	free(*a);
	*a = NULL;
}

static int connect_path(const char *path, int *ret_fd, struct vm_err *err)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	VM_AUTO_FD int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (strlen(path) >= sizeof(sa.sun_path))
		return vm_err_set(err, VM_BAD_INPUT, "path of the agent's socket is too long: %s", path);
	memcpy(sa.sun_path, path, strlen(path) + 1);
	if (fd < 0 || connect(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0)
		return vm_err_sys(err, "connect to the agent's channel %s", path);
	*ret_fd = vm_take_fd(&fd);
	return 0;
}

/* Waits for the socket; a guest without agent never lets this end by itself, nor one that talks for ever. */
static int wait_for(struct vm_agent *a, short events, struct vm_deadline deadline, struct vm_err *err)
{
	struct pollfd p = { .fd = a->fd, .events = events };
	int n = vm_deadline_passed(deadline) ? 0 : poll(&p, 1, vm_deadline_poll(deadline));

	if (n < 0)
		return vm_err_sys(err, "wait for the guest agent");
	if (n > 0)
		return 0;
	vm_err_set(err, VM_TIMED_OUT, "the guest agent does not answer");
	return vm_err_hint(err, "is qemu-guest-agent installed and running in the guest?");
}

static int send_all(struct vm_agent *a, const char *text, size_t len, struct vm_deadline deadline,
		    struct vm_err *err)
{
	while (len) {
		ssize_t n = send(a->fd, text, len, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return vm_err_sys_kind(err, VM_HYPERVISOR, "write to the guest agent");
		if (n < 0 && wait_for(a, POLLOUT, deadline, err) < 0)
			return -1;
		if (n > 0) {
			text += n;
			len -= (size_t)n;
		}
	}
	return 0;
}

/* Takes the next line that ends with `end` from what was read; it is the caller's. */
static int read_until(struct vm_agent *a, char end, struct vm_deadline deadline, char **ret,
		      size_t *ret_len, struct vm_err *err)
{
	size_t seen = 0;
	char buf[4096];

	for (;;) {
		char *at = a->in.len > seen ? memchr(a->in.text + seen, end, a->in.len - seen) : NULL;
		ssize_t n;

		if (at) {
			size_t len = (size_t)(at - a->in.text), rest = a->in.len - len - 1;

			*ret = vm_xmemdup(a->in.text, len + 1);
			(*ret)[len] = '\0';
			*ret_len = len;
			memmove(a->in.text, at + 1, rest);
			a->in.len = rest;
			return 0;
		}
		seen = a->in.len;
		if (seen > VM_AGENT_REPLY_MAX)
			return vm_err_set(err, VM_HYPERVISOR, "the guest agent sent more than %u bytes",
					  VM_AGENT_REPLY_MAX);
		if (wait_for(a, POLLIN, deadline, err) < 0)
			return -1;
		n = recv(a->fd, buf, sizeof(buf), MSG_DONTWAIT);
		if (n == 0)
			return vm_err_set(err, VM_HYPERVISOR, "the agent's channel was closed");
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return vm_err_sys_kind(err, VM_HYPERVISOR, "read from the guest agent");
		if (n > 0)
			vm_strbuf_add(&a->in, buf, (size_t)n);
	}
}

static int read_reply(struct vm_agent *a, struct vm_deadline deadline, json_t **ret,
		      struct vm_err *err)
{
	VM_AUTO_FREE char *line = NULL;
	struct vm_err ignored = VM_ERR_INIT;
	struct vm_qmp_line scanned;
	json_error_t why;
	json_t *reply;
	size_t len = 0;

	do {
		free(vm_take_ptr(&line));
		if (read_until(a, '\n', deadline, &line, &len, err) < 0)
			return -1;
	} while (len == 0);
	if (vm_qmp_line_scan(line, len, VM_AGENT_DEPTH_MAX, VM_AGENT_VALUES_MAX, &scanned, &ignored) < 0)
		return vm_err_set(err, VM_HYPERVISOR,
				  "the guest agent sent more than %u values, or nested deeper than %u",
				  VM_AGENT_VALUES_MAX, VM_AGENT_DEPTH_MAX);
	reply = json_loadb(line, len, JSON_REJECT_DUPLICATES, &why);
	if (!json_is_object(reply)) {
		json_decref(reply);
		return vm_err_set(err, VM_HYPERVISOR, "the guest agent sent no JSON object: %s", why.text);
	}
	*ret = reply;
	return 0;
}

/* Throws away what an earlier client left unread: everything before the delimiter that answers ours. */
static int synchronise(struct vm_agent *a, struct vm_deadline deadline, struct vm_err *err)
{
	VM_AUTO_FREE char *ask = NULL;
	json_int_t id = (json_int_t)(vm_now_ms() & 0x7fffffff) ^ getpid();

	ask = vm_xasprintf("%c{\"execute\":\"guest-sync-delimited\",\"arguments\":{\"id\":%lld}}\n",
			   DELIMITER, (long long)id);
	if (send_all(a, ask, strlen(ask), deadline, err) < 0)
		return -1;
	for (;;) {
		VM_AUTO_FREE char *before = NULL;
		json_t *reply = NULL;
		bool ours;
		size_t len;

		if (read_until(a, DELIMITER, deadline, &before, &len, err) < 0 ||
		    read_reply(a, deadline, &reply, err) < 0)
			return -1;
		ours = json_integer_value(json_object_get(reply, "return")) == id;
		json_decref(reply);
		if (ours)
			return 0;
	}
}

int vm_agent_lacks(struct vm_err *err)
{
	vm_err_set(err, VM_UNSUPPORTED, "the guest has no channel for an agent");
	return vm_err_hint(err, "add <channel type='unix'><target type='virtio' name='" VM_AGENT_CHANNEL
				"'/></channel> and restart it");
}

int vm_agent_open(const struct vm_guest *g, struct vm_deadline deadline, struct vm_agent **ret,
		  struct vm_err *err)
{
	const char *channel = vm_record_get(&g->record, VM_KEY_AGENT);
	VM_AUTO(vm_agent_close) struct vm_agent *a = NULL;
	int fd = -1, r;

	if (!channel)
		return vm_agent_lacks(err);
	if (strchr(channel, '/'))
		r = connect_path(channel, &fd, err);
	else
		r = vm_sock_connect(g->run, channel, deadline, &fd, err);
	if (r < 0)
		return -1;
	a = vm_xcalloc(1, sizeof(*a));
	a->fd = fd;
	if (synchronise(a, deadline, err) < 0)
		return -1;
	*ret = vm_take_ptr(&a);
	return 0;
}

int vm_agent_call(struct vm_agent *a, const char *command, json_t *arguments,
		  struct vm_deadline deadline, json_t **ret_value, struct vm_err *err)
{
	VM_AUTO_FREE char *text = NULL;
	json_t *ask, *reply = NULL, *error, *value;
	int r;

	ask = json_pack("{s:s, s:O*}", "execute", command, "arguments", arguments);
	text = ask ? json_dumps(ask, JSON_COMPACT) : NULL;
	json_decref(ask);
	if (!text)
		return vm_err_set(err, VM_BAD_INPUT, "%s: arguments cannot be sent", command);
	if (send_all(a, text, strlen(text), deadline, err) < 0 ||
	    send_all(a, "\n", 1, deadline, err) < 0 || read_reply(a, deadline, &reply, err) < 0)
		return vm_err_wrap(err, "%s", command);
	error = json_object_get(reply, "error");
	value = json_object_get(reply, "return");
	if (error) {
		const char *class = json_string_value(json_object_get(error, "class"));
		const char *desc = json_string_value(json_object_get(error, "desc"));

		r = vm_err_set(err,
			       class && strcmp(class, "CommandNotFound") == 0 ? VM_UNSUPPORTED
									       : VM_HYPERVISOR,
			       "the guest agent refused %s: %s", command, desc ? desc : "no reason given");
	} else if (!value) {
		r = vm_err_set(err, VM_HYPERVISOR, "the guest agent gave no answer to %s", command);
	} else {
		r = 0;
		if (ret_value)
			*ret_value = json_incref(value);
	}
	json_decref(reply);
	return r;
}

/* What is told and where it stands in the answer; an agent that does not know a command leaves its rows out. */
static const struct tell_row {
	const char *command, *member, *key;
} tell_rows[] = {
	{ "guest-info", "version", "agent_version" },
	{ "guest-get-host-name", "host-name", "hostname" },
	{ "guest-get-osinfo", "id", "os_id" },
	{ "guest-get-osinfo", "pretty-name", "os_name" },
	{ "guest-get-osinfo", "version-id", "os_version" },
	{ "guest-get-osinfo", "kernel-release", "kernel" },
	{ "guest-get-osinfo", "machine", "architecture" },
	{ "guest-get-timezone", "zone", "timezone" },
};

static void out_row(struct vm_out *out, const char *key, const char *value)
{
	vm_out_row(out);
	vm_out_str(out, "key", key);
	vm_out_str(out, "value", value);
	vm_out_row_end(out);
}

int vm_qemu_agent_tell(struct vm_guest *g, struct vm_out *out, struct vm_deadline deadline,
		       struct vm_err *err)
{
	VM_AUTO(vm_agent_close) struct vm_agent *a = NULL;
	const char *asked = "";
	json_t *reply = NULL;

	if (vm_agent_open(g, deadline, &a, err) < 0 || a == NULL)
		return -1;
	for (size_t i = 0; i < VM_COUNT(tell_rows); i++) {
		const struct tell_row *row = &tell_rows[i];

		if (strcmp(asked, row->command) != 0) {
			struct vm_err why = VM_ERR_INIT;

			json_decref(reply);
			reply = NULL;
			asked = row->command;
			if (vm_agent_call(a, asked, NULL, deadline, &reply, &why) < 0 &&
			    why.kind == VM_TIMED_OUT) {
				*err = why;
				return -1;
			}
		}
		if (reply)
			out_row(out, row->key,
				json_string_value(json_object_get(reply, row->member)));
	}
	json_decref(reply);
	return 0;
}
