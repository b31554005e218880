/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The programs behind a guest's TPM, shared directories and user networks. */
#include "start_step.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/file.h>
#include <vm/sock.h>
#include <vm/state.h>
#include <vm/strbuf.h>

#include "host/idmap.h"
#include "host/self.h"
#include "model/domain.h"

static void add_arg(struct vm_helper *h, const char *arg)
{
	size_t n = 0;

	while (h->argv != NULL && h->argv[n] != NULL)
		n++;
	h->argv = vm_xreallocarray(h->argv, n + 2, sizeof(*h->argv));
	h->argv[n] = vm_xstrdup(arg);
	h->argv[n + 1] = NULL;
}

static void add_args(struct vm_helper *h, const char *option, const char *value)
{
	add_arg(h, option);
	add_arg(h, value);
}

static int find(struct vm_helper *h, unsigned program, const char *path, struct vm_err *err)
{
	VM_AUTO_FREE char *found = NULL;

	if (path == NULL && vm_helper_find(program, &found, err) < 0)
		return -1;
	if (path != NULL && access(path, X_OK) < 0)
		return vm_err_sys(err, "%s", path);
	add_arg(h, path != NULL ? path : found);
	return 0;
}

/* QEMU's end is `number` there. */
static int connect_pair(struct vm_start *s, struct vm_helper *h, int number, struct vm_err *err)
{
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
		return vm_err_sys(err, "socketpair");
	h->socket = ends[1];
	vm_start_inherit(s, ends[0], number);
	return 0;
}

/* For a program that takes only a socket that listens: QEMU's connection waits in its queue, and its name is gone at once. */
static int connect_queue(struct vm_start *s, struct vm_helper *h, int number, struct vm_err *err)
{
	VM_AUTO_FREE char *name = vm_xasprintf("%s.sock", h->name);
	int fd;

	if (vm_sock_listen(s->g->run, name, 1, &h->socket, err) < 0 ||
	    vm_sock_connect(s->g->run, name, s->deadline, &fd, err) < 0)
		return -1;
	vm_start_inherit(s, fd, number);
	return vm_file_remove(s->g->run, name, err);
}

/* ---- swtpm ---- */

struct owner {
	uint32_t uid, gid;
	struct vm_err *err;
};

/* The user may have changed since; a link of any kind is none of its files. */
static int give_file(int dirfd, const char *name, void *arg)
{
	const struct owner *o = arg;
	struct stat st;

	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : vm_err_sys(o->err, "%s", name);
	if (!S_ISREG(st.st_mode) || st.st_nlink != 1 || (st.st_uid == o->uid && st.st_gid == o->gid))
		return 0;
	return fchownat(dirfd, name, o->uid, o->gid, AT_SYMLINK_NOFOLLOW) < 0
		       ? vm_err_sys(o->err, "give %s to the guest's user", name)
		       : 0;
}

static int make_state(struct vm_start *s, char **ret_path, struct vm_err *err)
{
	struct owner o = { s->rights.uid, s->rights.gid, err };
	VM_AUTO_FREE char *path = vm_xasprintf("%s/%s/" VM_LIB_TPM, s->g->state->lib_path, s->g->name);
	VM_AUTO_FD int dir = -1;

	if (mkdirat(s->g->lib, VM_LIB_TPM, 0700) < 0 && errno != EEXIST)
		return vm_err_sys(err, "make %s", path);
	dir = openat(s->g->lib, VM_LIB_TPM, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir < 0)
		return vm_err_sys(err, "open %s", path);
	if (s->rights.change_user) {
		/* While it is ours nobody else changes what is in it. */
		if (fchown(dir, 0, 0) < 0 || vm_dir_each(dir, give_file, &o, err) < 0 ||
		    fchown(dir, o.uid, o.gid) < 0)
			return err->kind != VM_OK ? -1 : vm_err_sys(err, "give %s to the guest's user", path);
	}
	*ret_path = vm_take_ptr(&path);
	return 0;
}

static int make_swtpm(struct vm_start *s, const struct vm_tpm *t, struct vm_helper *h, int number,
		      struct vm_err *err)
{
	if (find(h, VM_HELPER_SWTPM, NULL, err) < 0 || make_state(s, &h->dir, err) < 0)
		return -1;
	add_arg(h, "socket");
	add_args(h, "--ctrl", "type=unixio,clientfd=3");
	add_args(h, "--tpmstate", "dir=.,mode=0600");
	add_arg(h, "--terminate");
	if (t->version == VM_TPM_2_0)
		add_arg(h, "--tpm2");
	h->needs = VM_VIEW_READ | VM_VIEW_WRITE | VM_VIEW_EXEC;
	return connect_pair(s, h, number, err);
}

/* ---- virtiofsd ---- */

static void add_option(struct vm_helper *h, const char *option)
{
	add_args(h, "-o", option);
}

static int make_virtiofsd(struct vm_start *s, const struct vm_filesystem *f, struct vm_helper *h,
			  int number, struct vm_err *err)
{
	VM_AUTO_FREE char *source = NULL;
	char text[64];

	if (find(h, VM_HELPER_VIRTIOFSD, f->binary, err) < 0)
		return -1;
	h->dir = vm_xstrdup(f->dir);
	h->needs = VM_VIEW_READ | VM_VIEW_WRITE | VM_VIEW_EXEC;
	add_arg(h, "--fd=3");
	source = vm_xasprintf("source=%s", f->dir);
	add_option(h, source);
	/* Its limit is that of QEMU, which was raised while that could be done. */
	add_arg(h, "--rlimit-nofile=0");
	if (f->threads != 0) {
		snprintf(text, sizeof(text), "--thread-pool-size=%" PRIu64, f->threads);
		add_arg(h, text);
	}
	if (f->cache != VM_FILESYSTEM_CACHE_ABSENT) {
		snprintf(text, sizeof(text), "cache=%s", vm_filesystem_cache_words[f->cache]);
		add_option(h, text);
	}
	if (f->sandbox != VM_FILESYSTEM_SANDBOX_ABSENT) {
		snprintf(text, sizeof(text), "sandbox=%s", vm_filesystem_sandbox_words[f->sandbox]);
		add_option(h, text);
	}
	if (f->xattr != VM_SWITCH_ABSENT)
		add_option(h, f->xattr == VM_SWITCH_ON ? "xattr" : "no_xattr");
	if (f->flock != VM_SWITCH_ABSENT)
		add_option(h, f->flock == VM_SWITCH_ON ? "flock" : "no_flock");
	if (f->posix_lock != VM_SWITCH_ABSENT)
		add_option(h, f->posix_lock == VM_SWITCH_ON ? "posix_lock" : "no_posix_lock");
	if (s->rights.change_user || geteuid() != 0) {
		uint32_t uid = s->rights.change_user ? s->rights.uid : geteuid();
		uint32_t gid = s->rights.change_user ? s->rights.gid : getegid();

		if (vm_idmap_open(0, uid, 0, gid, &h->ns, err) < 0)
			return -1;
	}
	return connect_queue(s, h, number, err);
}

/* ---- passt ---- */

static void add_range(struct vm_strbuf *b, const struct vm_forward_range *r)
{
	uint64_t more = r->end > r->start ? r->end - r->start : 0;

	vm_strbuf_printf(b, "%s%" PRIu64, r->exclude == VM_SWITCH_ON ? "~" : "", r->start);
	if (more > 0)
		vm_strbuf_printf(b, "-%" PRIu64, r->end);
	if (r->to == 0)
		return;
	vm_strbuf_printf(b, ":%" PRIu64, r->to);
	if (more > 0)
		vm_strbuf_printf(b, "-%" PRIu64, r->to + more);
}

/* [ADDRESS][%INTERFACE]/FIRST-LAST:FIRST-LAST,~FIRST-LAST.  Source: passt(1), --tcp-ports. */
static void add_forward(struct vm_helper *h, const struct vm_forward *f)
{
	struct vm_strbuf b = VM_STRBUF_INIT;

	if (f->address != NULL)
		vm_strbuf_puts(&b, f->address);
	if (f->dev != NULL)
		vm_strbuf_printf(&b, "%%%s", f->dev);
	if (b.len > 0)
		vm_strbuf_putc(&b, '/');
	if (f->ranges.n == 0)
		vm_strbuf_puts(&b, "all");
	for (uint32_t i = 0; i < f->ranges.n; i++) {
		if (i > 0)
			vm_strbuf_putc(&b, ',');
		add_range(&b, f->ranges.v[i]);
	}
	add_args(h, f->proto == VM_FORWARD_TCP ? "--tcp-ports" : "--udp-ports", b.text);
	vm_strbuf_free(&b);
}

/* It opens the pipe anew, which has an owner as files have. */
static int make_ready(struct vm_start *s, struct vm_helper *h, struct vm_err *err)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return vm_err_sys(err, "pipe");
	s->helper_ready[h - s->helpers] = ends[0];
	h->ready = ends[1];
	if (s->rights.change_user && fchown(h->ready, s->rights.uid, s->rights.gid) < 0)
		return vm_err_sys(err, "give a pipe to the guest's user");
	return 0;
}

static int make_passt(struct vm_start *s, const struct vm_interface *n, struct vm_helper *h, int number,
		      struct vm_err *err)
{
	VM_AUTO_FREE char *path = NULL;
	char text[32];

	if (find(h, VM_HELPER_PASST, NULL, err) < 0)
		return -1;
	if (n->log_file != NULL) {
		h->out = open(n->log_file, O_WRONLY | O_CREAT | O_APPEND | O_NOCTTY | O_NOFOLLOW | O_CLOEXEC, 0600);
		if (h->out < 0)
			return vm_err_sys(err, "open %s", n->log_file);
	}
	add_arg(h, "--foreground");
	add_arg(h, "--quiet");
	add_args(h, "--fd", "3");
	if (n->source != NULL)
		add_args(h, "--interface", n->source->dev);
	if (n->mtu != 0) {
		snprintf(text, sizeof(text), "%" PRIu64, n->mtu);
		add_args(h, "--mtu", text);
	}
	for (uint32_t i = 0; i < n->ips.n; i++) {
		const struct vm_interface_ip *ip = n->ips.v[i];

		add_args(h, "--address", ip->address);
		if (ip->family == 2 || !mt_is_set(&ip->obj, 2))
			continue;
		snprintf(text, sizeof(text), "%" PRIu64, ip->prefix);
		add_args(h, "--netmask", text);
	}
	for (uint32_t i = 0; i < n->forwards.n; i++)
		add_forward(h, n->forwards.v[i]);
	/* That file is written when it works. */
	path = vm_self_fd_path(VM_HELPER_READY);
	add_args(h, "--pid", path);
	return make_ready(s, h, err) < 0 ? -1 : connect_pair(s, h, number, err);
}

/* ---- all of them ---- */

static bool is_in(const struct mt_list *list, const void *obj)
{
	for (uint32_t i = 0; i < list->n; i++)
		if (list->v[i] == obj)
			return true;
	return false;
}

static int make_one(struct vm_start *s, const struct vm_argv_fd *f, struct vm_helper *h, struct vm_err *err)
{
	const struct vm_domain *d = s->d;

	if (is_in(&d->tpms, f->object))
		return make_swtpm(s, f->object, h, f->number, err);
	if (is_in(&d->filesystems, f->object))
		return make_virtiofsd(s, f->object, h, f->number, err);
	return make_passt(s, f->object, h, f->number, err);
}

static int check_one(const struct vm_start *s, const struct vm_argv_fd *f, struct vm_err *err)
{
	const struct vm_filesystem *fs = is_in(&s->d->filesystems, f->object) ? f->object : NULL;
	VM_AUTO_FREE char *path = NULL;
	struct stat st;

	if (fs == NULL)
		return vm_helper_find(is_in(&s->d->tpms, f->object) ? VM_HELPER_SWTPM : VM_HELPER_PASST, &path,
				      err);
	if (stat(fs->dir, &st) < 0)
		return vm_err_sys(err, "%s", fs->dir);
	if (!S_ISDIR(st.st_mode))
		return vm_err_set(err, VM_BAD_INPUT, "%s is no directory", fs->dir);
	if (strchr(fs->dir, ',') != NULL)
		return vm_err_set(err, VM_UNSUPPORTED, "%s: a comma cannot be said to virtiofsd", fs->dir);
	if (fs->binary != NULL)
		return access(fs->binary, X_OK) < 0 ? vm_err_sys(err, "%s", fs->binary) : 0;
	return vm_helper_find(VM_HELPER_VIRTIOFSD, &path, err);
}

int vm_start_helpers_check(const struct vm_start *s, struct vm_err *err)
{
	for (size_t n = 0; n < s->argv.nfds; n++)
		if (s->argv.fds[n].role == VM_FD_HELPER && check_one(s, &s->argv.fds[n], err) < 0)
			return vm_err_wrap(err, "%s", s->argv.fds[n].alias);
	return 0;
}

int vm_start_helpers(struct vm_start *s, struct vm_err *err)
{
	for (size_t n = 0; n < s->argv.nfds; n++) {
		const struct vm_argv_fd *f = &s->argv.fds[n];
		struct vm_helper *h;

		if (f->role != VM_FD_HELPER)
			continue;
		if (s->nhelpers == VM_HELPERS_MAX)
			return vm_err_set(err, VM_UNSUPPORTED, "more than %u programs beside QEMU", VM_HELPERS_MAX);
		s->helper_ready[s->nhelpers] = -1;
		h = &s->helpers[s->nhelpers++];
		*h = VM_HELPER_INIT;
		h->name = vm_xstrdup(f->alias);
		if (make_one(s, f, h, err) < 0)
			return vm_err_wrap(err, "%s", f->alias);
	}
	return 0;
}

int vm_start_helpers_view(struct vm_start *s, struct vm_err *err)
{
	for (size_t i = 0; i < s->nhelpers; i++) {
		const struct vm_helper *h = &s->helpers[i];

		if (vm_view_add(&s->view, h->argv[0], VM_VIEW_READ | VM_VIEW_EXEC, err) < 0)
			return vm_err_wrap(err, "%s", h->name);
		if (h->dir == NULL)
			continue;
		/* A directory alone is of no use with its files somebody else's. */
		s->view.own = NULL;
		if (vm_view_add(&s->view, h->dir, h->needs, err) < 0)
			return vm_err_wrap(err, "%s", h->name);
	}
	return 0;
}

static bool is_dead(const struct vm_procid *id)
{
	VM_AUTO_FD int pidfd = -1;
	struct vm_err ignored = VM_ERR_INIT;

	return vm_procid_open(id, &pidfd, &ignored) != 0 ||
	       poll(&(struct pollfd){ .fd = pidfd, .events = POLLIN }, 1, 0) > 0;
}

static int tell_end(struct vm_start *s, const char *name, struct vm_err *err)
{
	VM_AUTO_FREE char *words = vm_start_last_words(s);

	vm_err_set(err, VM_HYPERVISOR, "%s: the program behind it has ended%s%s", name, *words != 0 ? ": " : "",
		   words);
	return vm_err_hint(err, "its messages are in %s/%s.log", s->g->state->log_path, s->g->name);
}

static int wait_ready(struct vm_start *s, size_t i, struct vm_err *err)
{
	struct pollfd p = { .fd = s->helper_ready[i], .events = POLLIN };
	char text[32];
	int r;

	if (p.fd < 0)
		return 0;
	while ((r = poll(&p, 1, vm_deadline_poll(s->deadline))) < 0 && errno == EINTR && !vm_wait_interrupted())
		;
	if (r < 0)
		return vm_err_sys(err, "wait for what is behind %s", s->helpers[i].name);
	if (r == 0)
		return vm_err_set(err, VM_TIMED_OUT, "%s: the program behind it does not get ready",
				  s->helpers[i].name);
	return read(p.fd, text, sizeof(text)) > 0 ? 0 : tell_end(s, s->helpers[i].name, err);
}

int vm_start_helpers_take(struct vm_start *s, struct vm_err *err)
{
	VM_AUTO(vm_record_free) struct vm_record r = VM_RECORD_INIT;
	char name[VM_HELPER_NAME_MAX];
	struct vm_procid id;
	const char *text;

	if (s->nhelpers == 0)
		return 0;
	for (size_t i = 0; i < s->nhelpers; i++)
		if (wait_ready(s, i, err) < 0)
			return -1;
	if (vm_record_read(&r, s->g->run, VM_RUN_RECORD, VM_RECORD_GUEST, VM_RECORD_GUEST_VERSION, err) < 0)
		return -1;
	for (size_t i = 0; (text = vm_record_nth(&r, VM_KEY_HELPER, i)) != NULL; i++) {
		if (!vm_record_get_helper(&r, i, name, &id))
			continue;
		if (is_dead(&id))
			return tell_end(s, name, err);
		vm_record_add(&s->g->record, VM_KEY_HELPER, text);
	}
	return 0;
}
