/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fake-systemd SOCKET GROUP: plays systemd's side of transient scopes on a socket, until SIGTERM.
 *
 * A scope is a real group of cgroup v2, GROUP/SLICE/UNIT below the mount point; it goes when nothing is in it, as with
 * systemd, and all of GROUP goes at the end.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>

#include "cgroup/dbus.h"
#include "dbus_peer.h"

#define MAX_CLIENTS 32
#define MAX_UNITS   64
#define TICK_MS	    10
#define OBJECT	    "/org/freedesktop/systemd1/unit/u"
#define ERRORS	    "org.freedesktop.systemd1."

static struct client {
	int fd;
	bool begun;
	uint32_t serial;
	struct vm_strbuf in, out;
} clients[MAX_CLIENTS];
static struct unit {
	char name[NAME_MAX + 1], slice[NAME_MAX + 1]; /* "" = free */
} units[MAX_UNITS];
static const char *top; /* "/NAME" */
static char mount_point[PATH_MAX];
static unsigned jobs;
static volatile sig_atomic_t ended;

static void on_term(int sig)
{
	(void)sig;
	ended = 1;
}

/* ---- groups ---- */
static void remove_tree(const char *path)
{
	DIR *d = opendir(path);
	struct dirent *e;

	while (d != NULL && (e = readdir(d)) != NULL)
		if (e->d_type == DT_DIR && e->d_name[0] != '.') {
			VM_AUTO_FREE char *below = vm_xasprintf("%s/%s", path, e->d_name);

			remove_tree(below);
		}
	if (d != NULL)
		closedir(d);
	rmdir(path);
}

/* Notes where version 2 is; with remove, takes all of GROUP away in every hierarchy. */
static bool each_mount(bool remove)
{
	FILE *f = fopen("/proc/self/mountinfo", "re");
	char line[2 * PATH_MAX], point[PATH_MAX], type[64];
	bool found = false;

	while (f != NULL && fgets(line, sizeof(line), f) != NULL) {
		const char *dash = strstr(line, " - ");

		if (dash == NULL || sscanf(dash, " - %63s", type) != 1 || strncmp(type, "cgroup", 6) != 0 ||
		    sscanf(line, "%*s %*s %*s %*s %4095s", point) != 1)
			continue;
		if (remove) {
			VM_AUTO_FREE char *whole = vm_xasprintf("%s%s", point, top);

			remove_tree(whole);
		} else if (strcmp(type, "cgroup2") == 0) {
			strcpy(mount_point, point);
			found = true;
		}
	}
	if (f != NULL)
		fclose(f);
	return found;
}

static char *group_of(const struct unit *u)
{
	return vm_xasprintf("%s/%s/%s", top, u->slice, u->name);
}

static char *file_of(const struct unit *u, const char *file)
{
	VM_AUTO_FREE char *group = group_of(u);

	return vm_xasprintf("%s%s%s%s", mount_point, group, *file != 0 ? "/" : "", file);
}

static void make_dirs(char *path)
{
	for (char *c = path + strlen(mount_point) + 1; (c = strchr(c, '/')) != NULL; *c++ = '/') {
		*c = 0;
		mkdir(path, 0755);
	}
	mkdir(path, 0755);
}

static bool write_file(const char *path, const char *text)
{
	VM_AUTO_FD int fd = open(path, O_WRONLY | O_CLOEXEC);

	return fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
}

static bool populated(const struct unit *u)
{
	VM_AUTO_FREE char *path = file_of(u, "cgroup.events");
	VM_AUTO_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
	char text[256] = "";

	return fd >= 0 && read(fd, text, sizeof(text) - 1) > 0 && strstr(text, "populated 1") != NULL;
}

static void drop_unit(struct unit *u)
{
	VM_AUTO_FREE char *path = file_of(u, "");

	remove_tree(path);
	u->name[0] = 0;
}

static struct unit *find_unit(const char *name)
{
	for (size_t i = 0; i < MAX_UNITS; i++)
		if (*name != 0 && strcmp(units[i].name, name) == 0)
			return &units[i];
	return NULL;
}

static void look_for_empty(void)
{
	for (size_t i = 0; i < MAX_UNITS; i++)
		if (units[i].name[0] != 0 && !populated(&units[i]))
			drop_unit(&units[i]);
}

/* ---- answers ---- */
static void answer(struct client *c, uint32_t to, const char *sig, const struct vm_strbuf *body)
{
	dbus_peer_message(&c->out, VM_DBUS_RETURN, ++c->serial, to, NULL, sig, body);
}

static void answer_str(struct client *c, uint32_t to, const char *sig, const char *text)
{
	VM_AUTO(vm_strbuf_free) struct vm_strbuf b = VM_STRBUF_INIT;

	if (*sig == 'v')
		vm_dbus_put_sig(&b, "s");
	vm_dbus_put_str(&b, text);
	answer(c, to, sig, &b);
}

static void refuse(struct client *c, uint32_t to, const char *name, const char *text)
{
	VM_AUTO(vm_strbuf_free) struct vm_strbuf b = VM_STRBUF_INIT;

	vm_dbus_put_str(&b, text);
	dbus_peer_message(&c->out, VM_DBUS_ERROR, ++c->serial, to, name, "s", &b);
}

static void answer_job(struct client *c, uint32_t to, const char *unit)
{
	VM_AUTO_FREE char *job = vm_xasprintf("/org/freedesktop/systemd1/job/%u", ++jobs);
	VM_AUTO(vm_strbuf_free) struct vm_strbuf b = VM_STRBUF_INIT;

	answer_str(c, to, "o", job);
	vm_dbus_put_u32(&b, jobs);
	vm_dbus_put_str(&b, job);
	vm_dbus_put_str(&b, unit);
	vm_dbus_put_str(&b, "done");
	dbus_peer_message(&c->out, VM_DBUS_SIGNAL, ++c->serial, 0, "JobRemoved", "uoss", &b);
}

/* Reads a property's value over; a slice and processes are what counts. */
static bool take_property(struct vm_dbus_in *in, struct unit *u, struct vm_strbuf *pids)
{
	const char *name, *sig;

	while (in->at % 8 != 0)
		vm_dbus_get_byte(in);
	name = vm_dbus_get_str(in);
	sig = vm_dbus_get_sig(in);
	if (strcmp(sig, "s") == 0) {
		const char *value = vm_dbus_get_str(in);

		if (strcmp(name, "Slice") == 0)
			snprintf(u->slice, sizeof(u->slice), "%s", value);
	} else if (strcmp(sig, "b") == 0) {
		vm_dbus_get_u32(in);
	} else if (strcmp(sig, "t") == 0) {
		vm_dbus_get_u64(in);
	} else {
		size_t len = vm_dbus_get_u32(in), end = in->at + len;

		while (!in->bad && in->at < end)
			if (strcmp(sig, "au") == 0)
				vm_strbuf_printf(pids, "%u\n", (unsigned)vm_dbus_get_u32(in));
			else
				vm_dbus_get_str(in);
	}
	return !in->bad;
}

static void start_unit(struct client *c, const struct vm_dbus_msg *m)
{
	struct vm_dbus_in in = m->body;
	VM_AUTO(vm_strbuf_free) struct vm_strbuf pids = VM_STRBUF_INIT;
	VM_AUTO_FREE char *procs = NULL, *path = NULL;
	const char *name = vm_dbus_get_str(&in);
	struct unit *u = units;
	size_t len, end;
	bool ok = true;

	if (find_unit(name) != NULL) {
		refuse(c, m->serial, ERRORS "UnitExists", "Unit was already loaded or has a fragment file.");
		return;
	}
	while (u < units + MAX_UNITS && u->name[0] != 0)
		u++;
	vm_dbus_get_str(&in);
	len = vm_dbus_get_u32(&in);
	while (in.at % 8 != 0)
		vm_dbus_get_byte(&in);
	end = in.at + len;
	if (u == units + MAX_UNITS || end > in.len)
		abort();
	snprintf(u->slice, sizeof(u->slice), "system.slice");
	snprintf(u->name, sizeof(u->name), "%s", name);
	while (ok && in.at < end)
		ok = take_property(&in, u, &pids);
	path = file_of(u, "");
	make_dirs(path);
	procs = file_of(u, "cgroup.procs");
	for (char *pid = strtok(pids.text, "\n"); pid != NULL; pid = strtok(NULL, "\n"))
		ok = write_file(procs, pid) && ok;
	if (ok) {
		answer_job(c, m->serial, name);
		return;
	}
	drop_unit(u);
	refuse(c, m->serial, "org.freedesktop.DBus.Error.InvalidArgs", "No process to be put into it.");
}

static void list_processes(struct client *c, const struct vm_dbus_msg *m, const struct unit *u)
{
	VM_AUTO(vm_strbuf_free) struct vm_strbuf b = VM_STRBUF_INIT;
	struct vm_dbus_array a = vm_dbus_put_array(&b, 8);

	if (populated(u)) {
		vm_dbus_put_align(&b, 8);
		vm_dbus_put_str(&b, "/some/group");
		vm_dbus_put_u32(&b, 4711);
		vm_dbus_put_str(&b, "some program");
	}
	vm_dbus_end_array(&b, a);
	answer(c, m->serial, "a(sus)", &b);
}

static void stop_unit(struct client *c, const struct vm_dbus_msg *m, struct unit *u)
{
	VM_AUTO_FREE char *kill_file = file_of(u, "cgroup.kill");
	VM_AUTO_FREE char *name = vm_xstrdup(u->name);

	write_file(kill_file, "1");
	for (int i = 0; i < 500 && populated(u); i++)
		usleep(2000);
	drop_unit(u);
	answer_job(c, m->serial, name);
}

static void handle(struct client *c, const struct vm_dbus_msg *m)
{
	struct vm_dbus_in in = m->body;
	const char *first = *m->signature == 's' ? vm_dbus_get_str(&in) : "";
	struct unit *u = find_unit(first);
	unsigned n;

	if (strcmp(m->member, "StartTransientUnit") == 0) {
		start_unit(c, m);
	} else if (strcmp(m->member, "Get") == 0) {
		VM_AUTO_FREE char *group = NULL;

		if (sscanf(m->path, OBJECT "%u", &n) != 1 || n >= MAX_UNITS || units[n].name[0] == 0) {
			refuse(c, m->serial, "org.freedesktop.DBus.Error.UnknownObject", "Unknown object.");
			return;
		}
		group = group_of(&units[n]);
		answer_str(c, m->serial, "v", group);
	} else if (strcmp(m->member, "Hello") == 0) {
		answer_str(c, m->serial, "s", ":1.7");
	} else if (strcmp(m->member, "AddMatch") == 0) {
		answer(c, m->serial, NULL, NULL);
	} else if (u == NULL) {
		refuse(c, m->serial, ERRORS "NoSuchUnit", "Unit is not loaded.");
	} else if (strcmp(m->member, "GetUnit") == 0) {
		VM_AUTO_FREE char *object = vm_xasprintf(OBJECT "%zu", (size_t)(u - units));

		answer_str(c, m->serial, "o", object);
	} else if (strcmp(m->member, "GetUnitProcesses") == 0) {
		list_processes(c, m, u);
	} else if (strcmp(m->member, "StopUnit") == 0) {
		stop_unit(c, m, u);
	} else {
		answer(c, m->serial, NULL, NULL);
	}
}

/* ---- clients ---- */
static void leave(struct client *c)
{
	close(c->fd);
	vm_strbuf_free(&c->in);
	vm_strbuf_free(&c->out);
	*c = (struct client){ .fd = -1 };
}

static void eat(struct vm_strbuf *b, size_t n)
{
	memmove(b->text, b->text + n, b->len - n);
	b->len -= n;
}

/* "\0AUTH EXTERNAL ...", then "BEGIN". */
static bool authenticate(struct client *c)
{
	char *end;

	while (!c->begun && c->in.len > 0 && (end = memchr(c->in.text, '\n', c->in.len)) != NULL) {
		c->begun = strncmp(c->in.text, "BEGIN", 5) == 0;
		if (!c->begun)
			vm_strbuf_puts(&c->out, "OK 0123456789abcdef0123456789abcdef\r\n");
		eat(&c->in, (size_t)(end + 1 - c->in.text));
	}
	return c->begun;
}

static void serve(struct client *c)
{
	struct vm_err err = VM_ERR_INIT;
	struct vm_dbus_msg m;
	char buf[4096];
	ssize_t n = recv(c->fd, buf, sizeof(buf), MSG_DONTWAIT);
	int r = 1;

	if (n <= 0) {
		leave(c);
		return;
	}
	vm_strbuf_add(&c->in, buf, (size_t)n);
	while (authenticate(c) && c->in.len > 0 &&
	       (r = vm_dbus_parse((const uint8_t *)c->in.text, c->in.len, &m, &err)) == 0) {
		handle(c, &m);
		eat(&c->in, m.size);
	}
	if (r < 0 || (c->out.len > 0 &&
		      send(c->fd, c->out.text, c->out.len, MSG_NOSIGNAL) != (ssize_t)c->out.len)) {
		leave(c);
		return;
	}
	vm_strbuf_clear(&c->out);
}

static void welcome(int listener)
{
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

	for (size_t i = 0; i < MAX_CLIENTS && fd >= 0; i++)
		if (clients[i].fd < 0) {
			clients[i].fd = fd;
			return;
		}
	if (fd >= 0)
		close(fd);
}

static int listen_at(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (strlen(path) >= sizeof(address.sun_path))
		return -1;
	strcpy(address.sun_path, path);
	return fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0 && listen(fd, 16) == 0 ? fd : -1;
}

int main(int argc, char **argv)
{
	struct sigaction term = { .sa_handler = on_term };
	struct pollfd polls[MAX_CLIENTS + 1];
	int listener;

	if (argc != 3 || argv[2][0] != '/' || !each_mount(false) || (listener = listen_at(argv[1])) < 0) {
		fprintf(stderr, "Usage: fake-systemd SOCKET /GROUP (of a mounted cgroup2)\n");
		return 2;
	}
	top = argv[2];
	sigaction(SIGTERM, &term, NULL);
	for (size_t i = 0; i < MAX_CLIENTS; i++)
		clients[i].fd = -1;
	while (!ended) {
		polls[0] = (struct pollfd){ .fd = listener, .events = POLLIN };
		for (size_t i = 0; i < MAX_CLIENTS; i++)
			polls[i + 1] = (struct pollfd){ .fd = clients[i].fd, .events = POLLIN };
		poll(polls, MAX_CLIENTS + 1, TICK_MS);
		for (size_t i = 0; i < MAX_CLIENTS; i++)
			if (clients[i].fd >= 0 && polls[i + 1].revents != 0)
				serve(&clients[i]);
		if (polls[0].revents != 0)
			welcome(listener);
		look_for_empty();
	}
	each_mount(true);
	return 0;
}
