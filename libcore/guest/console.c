/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "console.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/guest.h>
#include <vm/lock.h>
#include <vm/model.h>
#include <vm/process.h>
#include <vm/sock.h>
#include <vm/xml.h>

#include "model/domain.h"

#define BUFFER	 65536u
#define FORCE_MS 2000u

int vm_console_escape(const char *text, int *ret, struct vm_err *err)
{
	if (text == NULL)
		text = "^]";
	if (strcmp(text, "none") == 0) {
		*ret = -1;
		return 0;
	}
	if (text[0] == '^' && text[1] != 0 && text[2] == 0) {
		int c = toupper((unsigned char)text[1]);

		if (c >= '@' && c <= '_') {
			*ret = c - '@';
			return 0;
		}
	} else if (text[0] != 0 && text[1] == 0) {
		*ret = (unsigned char)text[0];
		return 0;
	}
	return vm_err_set(err, VM_USAGE, "--escape is ^A to ^_, one character, or none, not '%s'",
			  text);
}

/* ---- which device ---- */

static bool is_it(const struct vm_char *c, const char *alias)
{
	if (alias != NULL)
		return c->dev.alias != NULL && strcmp(c->dev.alias, alias) == 0;
	return c->type == VM_CHARDEV_PTY || c->type == VM_CHARDEV_UNIX;
}

static const struct vm_char *find_device(const struct vm_domain *d, const char *alias)
{
	const struct mt_list *lists[] = { &d->consoles, &d->serials, &d->parallels, &d->channels };
	/* Parallel ports and channels are no consoles unless they are named. */
	size_t n = alias != NULL ? VM_COUNT(lists) : 2;

	for (size_t l = 0; l < n; l++)
		for (uint32_t i = 0; i < lists[l]->n; i++)
			if (is_it(lists[l]->v[i], alias))
				return lists[l]->v[i];
	return NULL;
}

static int open_pty(const struct vm_char *c, int *ret_fd, struct vm_err *err)
{
	const char *path = c->backend != NULL ? c->backend->path : NULL;
	int fd;

	if (path == NULL)
		path = c->tty;
	if (path == NULL)
		return vm_err_set(err, VM_SYSTEM, "%s: its terminal is not on record", c->dev.alias);
	fd = open(path, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return vm_err_sys(err, "%s: open %s", c->dev.alias, path);
	if (!isatty(fd)) {
		close(fd);
		return vm_err_set(err, VM_SYSTEM, "%s: %s is no terminal", c->dev.alias, path);
	}
	*ret_fd = fd;
	return 0;
}

static int open_socket(const struct vm_char *c, struct vm_deadline dl, int *ret_fd,
		       struct vm_err *err)
{
	const char *path = c->backend != NULL ? c->backend->path : NULL;
	VM_AUTO_FREE char *dir = vm_xstrdup(path);
	VM_AUTO_FD int dirfd = -1;
	char *slash = path != NULL ? strrchr(dir, '/') : NULL;

	if (slash == NULL || c->backend->mode == VM_CHARDEV_CONNECT)
		return vm_err_set(err, VM_UNSUPPORTED,
				  "%s is no socket that can be connected to", c->dev.alias);
	*slash = 0;
	dirfd = open(*dir != 0 ? dir : "/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dirfd < 0)
		return vm_err_sys(err, "directory %s", dir);
	if (vm_sock_connect(dirfd, slash + 1, dl, ret_fd, err) < 0)
		return vm_err_wrap(err, "%s", c->dev.alias);
	fcntl(*ret_fd, F_SETFL, O_NONBLOCK);
	return 0;
}

static int open_device(const struct vm_char *c, struct vm_deadline dl, int *ret_fd,
		       struct vm_err *err)
{
	if (c->type == VM_CHARDEV_PTY)
		return open_pty(c, ret_fd, err);
	if (c->type == VM_CHARDEV_UNIX)
		return open_socket(c, dl, ret_fd, err);
	vm_err_set(err, VM_UNSUPPORTED, "%s has a backend of type '%s', which cannot be connected to",
		   c->dev.alias, vm_chardev_type_words[c->type]);
	if (c->type == VM_CHARDEV_FILE && c->backend != NULL && c->backend->path != NULL)
		vm_err_hint(err, "tail -f %s shows what the guest writes", c->backend->path);
	return -1;
}

/* ---- one at a time ---- */

/* The other vm-console: asked to end as if its terminal had gone. */
static void disconnect_other(int run_fd, const char *lock)
{
	VM_AUTO_FD int fd = openat(run_fd, lock, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	char text[80] = "", comm[32];
	int pid = 0;

	if (fd < 0 || read(fd, text, sizeof(text) - 1) <= 0 ||
	    sscanf(text, "vm-console %d", &pid) != 1 || pid < 2)
		return;
	vm_proc_comm(pid, comm, sizeof(comm));
	if (strcmp(comm, "vm-console") == 0)
		kill(pid, SIGHUP);
}

static int take_lock(const struct vm_guest *g, const char *alias, bool force, struct vm_deadline dl,
		     int *ret_fd, struct vm_err *err)
{
	VM_AUTO_FREE char *name = vm_xasprintf("console-%s", alias);
	int r = vm_lock_try(g->run, name, ret_fd, err);

	if (r == 1 && force) {
		disconnect_other(g->run, name);
		r = vm_lock_take(g->run, name, vm_deadline_min(dl, vm_deadline_in(FORCE_MS)),
				 ret_fd, err);
	}
	if (r == 1) {
		err->kind = VM_IN_USE;
		vm_err_hint(err, "--force disconnects it");
		return vm_err_wrap(err, "the console is in use");
	}
	return r;
}

/* ---- the terminal ---- */

static struct termios saved_terminal;
static bool terminal_saved;

static void restore_terminal(void)
{
	if (terminal_saved)
		tcsetattr(STDIN_FILENO, TCSAFLUSH, &saved_terminal);
	terminal_saved = false;
}

static void raw_terminal(void)
{
	struct termios raw;

	if (tcgetattr(STDIN_FILENO, &saved_terminal) < 0)
		return;
	terminal_saved = true;
	atexit(restore_terminal);
	raw = saved_terminal;
	cfmakeraw(&raw);
	tcsetattr(STDIN_FILENO, TCSAFLUSH, &raw);
}

/* ---- the loop ---- */

struct stream {
	int from, to;
	char *buf;
	size_t len; /* in the buffer */
	bool ended; /* nothing more comes */
	int escape; /* byte that ends it; -1 = none */
	bool escaped;
};

/* -1: the peer is gone. */
static int fill(struct stream *s)
{
	ssize_t n = read(s->from, s->buf + s->len, BUFFER - s->len);
	const char *at;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n <= 0) {
		s->ended = true;
		return n == 0 ? 0 : -1;
	}
	at = s->escape >= 0 ? memchr(s->buf + s->len, s->escape, (size_t)n) : NULL;
	if (at != NULL) {
		/* What was typed before it still goes to the guest. */
		s->len = (size_t)(at - s->buf);
		s->escaped = s->ended = true;
		return 0;
	}
	s->len += (size_t)n;
	return 0;
}

static int drain(struct stream *s)
{
	/* What a pipe that poll() calls writable takes at once, so that input never waits for output. */
	ssize_t n = write(s->to, s->buf, s->len < PIPE_BUF ? s->len : PIPE_BUF);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -1;
	s->len -= (size_t)n;
	memmove(s->buf, s->buf + n, s->len);
	return 0;
}

static int loop(struct stream *in, struct stream *out, struct vm_err *err)
{
	enum { IN, DEVICE, OUT, N };

	for (;;) {
		struct pollfd p[N] = {
			[IN] = { .fd = in->ended || in->len == BUFFER ? -1 : in->from,
				 .events = POLLIN },
			[DEVICE] = { .fd = out->from,
				     .events = (short)((out->len < BUFFER ? POLLIN : 0) |
						       (in->len > 0 ? POLLOUT : 0)) },
			[OUT] = { .fd = out->len > 0 ? out->to : -1, .events = POLLOUT },
		};

		if (in->escaped && in->len == 0)
			return 0;
		if (out->ended && out->len == 0)
			return 0;
		if (out->ended)
			p[DEVICE].fd = -1;
		if (poll(p, N, -1) < 0) {
			if (errno == EINTR && !vm_wait_interrupted())
				continue;
			return vm_err_sys(err, "wait for the console");
		}
		if (p[IN].revents != 0 && fill(in) < 0)
			in->ended = true;
		/* A terminal whose other side is gone says EIO. */
		if ((p[DEVICE].revents & (POLLIN | POLLHUP | POLLERR)) != 0 && fill(out) < 0)
			out->ended = true;
		if ((p[DEVICE].revents & POLLOUT) != 0 && drain(in) < 0)
			out->ended = true;
		if (p[OUT].revents != 0 && drain(out) < 0)
			return vm_err_sys(err, "write to standard output");
	}
}

static int connect_streams(const struct vm_common *c, const char *name, const char *alias, int device,
			   int escape, struct vm_err *err)
{
	VM_AUTO_FREE char *a = vm_xmalloc(BUFFER), *b = vm_xmalloc(BUFFER);
	struct stream in = { .from = STDIN_FILENO, .to = device, .buf = a, .escape = escape };
	struct stream out = { .from = device, .to = STDOUT_FILENO, .buf = b, .escape = -1 };
	bool tty = isatty(STDIN_FILENO) == 1;
	int r;

	if (tty && !c->quiet) {
		char end[32] = "";

		if (escape >= 0 && escape < 32)
			snprintf(end, sizeof(end), ", ^%c ends it", escape + '@');
		fprintf(stderr, "Connected to %s of %s%s.\n", alias, name, end);
	}
	signal(SIGPIPE, SIG_DFL);
	if (tty)
		raw_terminal();
	r = loop(&in, &out, err);
	restore_terminal();
	if (tty && !c->quiet && r == 0)
		fprintf(stderr, in.escaped ? "\n" : "\nThe guest has ended.\n");
	return r;
}

int vm_console_cli(const struct vm_common *c, const struct vm_console_options *o,
		   struct vm_err *err)
{
	VM_AUTO(vm_host_close) struct vm_host host = VM_HOST_INIT;
	VM_AUTO(vm_guest_close) struct vm_guest g = VM_GUEST_INIT;
	VM_AUTO(vm_xml_freep) struct vm_xml *doc = NULL;
	VM_AUTO(vm_domain_freep) struct vm_domain *d = NULL;
	VM_AUTO_FD int device = -1, lock = -1;
	const char *ref = c->operands.v[0];
	const struct vm_char *found;
	int escape;

	vm_err_object(err, ref);
	if (vm_console_escape(o->escape, &escape, err) < 0 ||
	    vm_host_open(c->connect, &host, err) < 0 ||
	    vm_guest_open(&host.state, ref, VM_GUEST_ACTIVE, c->deadline, &g, err) < 0 ||
	    vm_xml_load_at(g.run, VM_RUN_LIVE_XML, &doc, err) < 0 ||
	    vm_domain_parse(doc, true, &d, err) < 0)
		return -1;
	found = find_device(d, o->device);
	if (found == NULL && o->device != NULL)
		return vm_err_set(err, VM_NOT_FOUND, "has no character device %s", o->device);
	if (found == NULL) {
		vm_err_set(err, VM_NOT_FOUND, "has no console of type pty or unix");
		return vm_err_hint(err, "vm-info %s consoles lists what it has", ref);
	}
	if (take_lock(&g, found->dev.alias, o->force, c->deadline, &lock, err) < 0 ||
	    open_device(found, c->deadline, &device, err) < 0)
		return -1;
	if (o->resume && vm_guest_resume(&host, ref, false, c->deadline, err) < 0)
		return -1;
	return connect_streams(c, g.name, found->dev.alias, device, escape, err);
}
