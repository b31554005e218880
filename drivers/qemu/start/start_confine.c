/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* As whom QEMU runs, and what it sees of the host. */
#include "start_step.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/log.h>
#include <vm/nodes.h>
#include <vm/state.h>

#include "host/self.h"
#include "model/domain.h"

#define READ  VM_VIEW_READ
#define WRITE (VM_VIEW_READ | VM_VIEW_WRITE)

/* ---- who ---- */

static int find_id(const char *text, bool group, uint32_t *ret, struct vm_err *err)
{
	const char *digits = *text == '+' ? text + 1 : text;
	const struct passwd *pw;
	const struct group *gr;
	char *end;
	unsigned long n;

	errno = 0;
	n = strtoul(digits, &end, 10);
	if (*digits >= '0' && *digits <= '9' && *end == 0 && errno == 0 && n < UINT32_MAX) {
		*ret = (uint32_t)n;
		return 0;
	}
	/* A program at this point has one thread. */
	pw = group ? NULL : getpwnam(text);
	gr = group ? getgrnam(text) : NULL;
	if (pw == NULL && gr == NULL)
		return vm_err_set(err, VM_NOT_FOUND, "<seclabel>: there is no %s '%s'",
				  group ? "group" : "user", text);
	*ret = pw != NULL ? pw->pw_uid : gr->gr_gid;
	return 0;
}

static int explicit_user(struct vm_start *s, const struct vm_seclabel *label, struct vm_err *err)
{
	VM_AUTO_FREE char *user = vm_xstrdup(label->label);
	char *group = strchr(user, ':');

	if (group == NULL)
		return vm_err_set(err, VM_BAD_INPUT, "the label '%s' is not USER:GROUP", label->label);
	*group++ = 0;
	s->rights.change_user = true;
	return find_id(user, false, &s->rights.uid, err) < 0
		       ? -1
		       : find_id(group, true, &s->rights.gid, err);
}

static int module_label(struct vm_start *s, struct vm_err *err)
{
	static const enum vm_seclabel_model models[] = { VM_SECLABEL_APPARMOR, VM_SECLABEL_SELINUX };

	for (size_t i = 0; i < VM_COUNT(models); i++) {
		const struct vm_seclabel *l = vm_domain_seclabel(s->d, models[i]);
		const char *word = vm_seclabel_model_words[models[i]];

		if (l == NULL || l->type != VM_SECLABEL_STATIC)
			continue;
		if (!vm_self_exec_label(word, l->label, &s->label_file, &s->label_text))
			return vm_err_set(err, VM_UNSUPPORTED, "<seclabel>: this host does not use %s", word);
		s->rights.exec_file = s->label_file;
		s->rights.exec_label = s->label_text;
	}
	return 0;
}

int vm_start_user(struct vm_start *s, struct vm_err *err)
{
	const struct vm_seclabel *dac = vm_domain_seclabel(s->d, VM_SECLABEL_DAC);
	bool fixed = dac != NULL && dac->type == VM_SECLABEL_STATIC;
	uint32_t uid;
	int r;

	if (module_label(s, err) < 0)
		return -1;
	if (s->g->state->uri.session || geteuid() != 0) {
		if (fixed)
			return vm_err_set(err, VM_UNSUPPORTED,
					  "<seclabel>: a guest of an ordinary user runs as that user");
		return 0;
	}
	if (!vm_view_possible()) {
		vm_log_warning("%s: no mount namespace may be made here; it runs as root without capabilities",
			       s->g->name);
		return 0;
	}
	if (fixed) {
		if (explicit_user(s, dac, err) < 0)
			return -1;
	} else {
		r = vm_guest_uid_take(s->g, &uid, err);
		if (r != 0)
			return r < 0 ? -1 : 0;
		s->rights.change_user = true;
		s->rights.uid = s->rights.gid = uid;
	}
	vm_record_setf(&s->g->record, VM_KEY_UID, "%u", s->rights.uid);
	vm_record_setf(&s->g->record, VM_KEY_GID, "%u", s->rights.gid);
	vm_record_set(&s->g->record, VM_KEY_OWN_DEV, s->g->state->conf.private_dev ? "yes" : "no");
	s->view.uid = s->rights.uid;
	s->view.gid = s->rights.gid;
	s->view.maps = vm_seclabel_relabels(dac);
	return 0;
}

/* ---- what ---- */

static int own(void *arg, const char *path, int fd, struct vm_err *err)
{
	struct vm_start *s = arg;
	char key[VM_OWNER_KEY_MAX];
	struct stat st;

	if (fstat(fd, &st) < 0)
		return vm_err_sys(err, "%s", path);
	vm_owner_key(&st, key);
	if (vm_start_hold(s, "owner", key, err) < 0)
		return -1;
	return vm_owner_change(s->g, path, fd, s->rights.uid, s->rights.gid, err);
}

static bool given(void *arg, const struct stat *st)
{
	const struct vm_start *s = arg;

	return vm_owner_is_changed(s->g->state, st);
}

static int see(struct vm_start *s, const char *path, unsigned perms, const char *what,
	       struct vm_err *err)
{
	if (path == NULL || vm_view_add(&s->view, path, perms, err) == 0)
		return 0;
	return vm_err_wrap(err, "%s", what);
}

static int see_disks(struct vm_start *s, struct vm_err *err)
{
	for (uint32_t i = 0; i < s->d->disks.n; i++) {
		const struct vm_disk *disk = s->d->disks.v[i];
		bool reads = disk->readonly || disk->device == VM_DISK_CDROM;
		VM_AUTO_FREE char *what = vm_xasprintf("disk %s", disk->target);

		if (disk->source != NULL &&
		    see(s, disk->source->path, reads ? READ : WRITE, what, err) < 0)
			return -1;
		for (const struct vm_backing_store *b = disk->backing; b != NULL; b = b->backing)
			if (b->source != NULL && see(s, b->source->path, READ, what, err) < 0)
				return -1;
	}
	return 0;
}

static int see_os(struct vm_start *s, struct vm_err *err)
{
	const struct vm_os *os = s->d->os;
	unsigned loader = os->loader_readonly == VM_SWITCH_OFF ? WRITE : READ;

	if (see(s, s->emulator, READ | VM_VIEW_EXEC, "emulator", err) < 0 ||
	    see(s, os->kernel, READ, "kernel", err) < 0 ||
	    see(s, os->initrd, READ, "initrd", err) < 0 || see(s, os->dtb, READ, "dtb", err) < 0 ||
	    see(s, os->loader, loader, "loader", err) < 0)
		return -1;
	return see(s, os->nvram, WRITE, "nvram", err);
}

/* A pipe is PATH.in and PATH.out if those are there.  Source: -chardev pipe of qemu(1). */
static int see_pipe(struct vm_start *s, const char *path, const char *what, struct vm_err *err)
{
	VM_AUTO_FREE char *in = vm_xasprintf("%s.in", path);
	VM_AUTO_FREE char *out = vm_xasprintf("%s.out", path);

	if (access(in, F_OK) < 0 && access(out, F_OK) < 0)
		return see(s, path, WRITE, what, err);
	return see(s, in, WRITE, what, err) < 0 ? -1 : see(s, out, WRITE, what, err);
}

static int see_char(struct vm_start *s, const struct vm_char *c, struct vm_err *err)
{
	const char *path = c->backend != NULL ? c->backend->path : NULL;
	const char *what = c->dev.alias != NULL ? c->dev.alias : "character device";

	if (path == NULL)
		return 0;
	switch (c->type) {
	case VM_CHARDEV_PIPE:
		return see_pipe(s, path, what, err);
	case VM_CHARDEV_UNIX:
		/* One that is not there yet QEMU looks for again and again. */
		return c->backend->mode == VM_CHARDEV_BIND || access(path, F_OK) < 0
			       ? 0
			       : see(s, path, WRITE, what, err);
	default:
		return 0;
	}
}

static int see_chars(struct vm_start *s, struct vm_err *err)
{
	const struct mt_list *lists[] = { &s->d->serials, &s->d->parallels, &s->d->consoles,
					  &s->d->channels };

	for (size_t l = 0; l < VM_COUNT(lists); l++)
		for (uint32_t i = 0; i < lists[l]->n; i++)
			if (see_char(s, lists[l]->v[i], err) < 0)
				return -1;
	return 0;
}

/* Sockets of programs that somebody else runs. */
static int see_helped(struct vm_start *s, struct vm_err *err)
{
	for (uint32_t i = 0; i < s->d->tpms.n; i++)
		if (see(s, ((const struct vm_tpm *)s->d->tpms.v[i])->path, WRITE, "tpm", err) < 0)
			return -1;
	for (uint32_t i = 0; i < s->d->filesystems.n; i++)
		if (see(s, ((const struct vm_filesystem *)s->d->filesystems.v[i])->socket, WRITE, "filesystem",
			err) < 0)
			return -1;
	return 0;
}

static int see_nodes(struct vm_start *s, struct vm_err *err)
{
	VM_AUTO(vm_nodes_free) struct vm_nodes nodes = VM_NODES_INIT;

	if (vm_domain_nodes(s->d, &s->g->state->conf, &nodes, err) < 0)
		return -1;
	for (size_t i = 0; i < nodes.n; i++) {
		const struct vm_node *n = &nodes.v[i];
		struct stat st;

		/* The list names files too, which have had their turn. */
		if (n->path == NULL || (stat(n->path, &st) < 0 && n->optional) ||
		    (stat(n->path, &st) == 0 && !S_ISBLK(st.st_mode) && !S_ISCHR(st.st_mode)))
			continue;
		if (see(s, n->path, (n->perms & VM_NODE_WRITE) != 0 ? WRITE : READ, n->by, err) < 0)
			return -1;
	}
	return vm_view_add_dev(&s->view, err);
}

/* Where QEMU itself makes the sockets that it cannot be given. */
static int make_sockets_dir(struct vm_start *s, struct vm_err *err)
{
	VM_AUTO_FREE char *path =
		vm_xasprintf("%s/%s/" VM_RUN_OWN, s->g->state->run_path, s->g->name);

	if (mkdirat(s->g->run, VM_RUN_OWN, 0700) < 0 && errno != EEXIST)
		return vm_err_sys(err, "make %s", path);
	if (!s->rights.change_user)
		return 0;
	if (fchownat(s->g->run, VM_RUN_OWN, s->rights.uid, s->rights.gid, AT_SYMLINK_NOFOLLOW) < 0)
		return vm_err_sys(err, "make %s", path);
	return see(s, path, READ | WRITE | VM_VIEW_EXEC, "sockets", err);
}

int vm_start_view(struct vm_start *s, struct vm_err *err)
{
	if (make_sockets_dir(s, err) < 0)
		return -1;
	if (!s->rights.change_user)
		return 0;
	if (mkdirat(s->g->run, VM_RUN_DEV, 0755) < 0 && errno != EEXIST)
		return vm_err_sys(err, "make the guest's /dev");
	s->dev = openat(s->g->run, VM_RUN_DEV, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (s->dev < 0 || fchmod(s->dev, 0755) < 0)
		return vm_err_sys(err, "make the guest's /dev");
	s->view.dev = s->dev;
	s->view.whole_dev = s->g->state->conf.private_dev;
	s->view.own = own;
	s->view.given = given;
	s->view.arg = s;
	if (vm_owner_restore_all(s->g, err) < 0 || see_os(s, err) < 0 || see_disks(s, err) < 0 || see_chars(s, err) < 0 || see_helped(s, err) < 0 ||
	    see_nodes(s, err) < 0)
		return -1;
	return vm_start_helpers_view(s, err);
}
