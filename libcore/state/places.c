/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <vm/state.h>

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/file.h>
#include <vm/log.h>

#include "state/internal.h"

#define SYSTEM_RUN "/run"

/* Local drivers keep their guests here; the table of what they can do is driver.h's. */
static const char *const local_drivers[] = {"qemu"};

static const char *root(void)
{
	const char *r = secure_getenv("VM_ROOT");

	return r && *r ? r : "";
}

char *vm_state_path(const char *absolute)
{
	const char *r = root();
	size_t len = strlen(r);

	while (len && r[len - 1] == '/')
		len--;
	return vm_xasprintf("%.*s%s", (int)len, r, absolute);
}

static int root_check(struct vm_err *err)
{
	const char *r = root();
	struct stat st;

	if (!*r)
		return 0;
	if (*r != '/' || strlen(r) > 2048)
		return vm_err_set(err, VM_BAD_INPUT, "VM_ROOT=%.200s: not an absolute path", r);
	if (stat(r, &st) < 0)
		return vm_err_sys(err, "VM_ROOT=%s", r);
	if (!S_ISDIR(st.st_mode))
		return vm_err_set(err, VM_BAD_INPUT, "VM_ROOT=%s: not a directory", r);
	if (st.st_uid != geteuid())
		return vm_err_set(err, VM_DENIED,
				  "VM_ROOT=%s: belongs to user %u, not to the caller (%u)", r,
				  (unsigned)st.st_uid, (unsigned)geteuid());
	return 0;
}

/* One of the trees below which our own directories begin. */
struct tree {
	char *base;	 /* the host's: made 0755, links are followed */
	const char *own; /* "vm" or "vm/log": ours */
	mode_t mode;	 /* of "vm" */
};

struct opening {
	enum vm_state_access access;
	bool session;
	const char *group;
};

static mode_t own_mode(const struct opening *o, mode_t system)
{
	return o->session ? 0700 : system;
}

/* The group that may look. There may be none of that name: root's own then. */
static gid_t looking_group(const struct opening *o)
{
	/* asked once: where the name service is not files alone, an absent group costs 50 system calls */
	static bool asked;
	static gid_t gid = (gid_t)-1;
	struct group *gr;

	if (geteuid() != 0 || o->session || !o->group)
		return (gid_t)-1;
	if (!asked) {
		/* a program at this point has one thread */
		gr = getgrnam(o->group);
		gid = gr ? gr->gr_gid : (gid_t)-1;
		asked = true;
	}
	return gid;
}

/*
 * 0700 is what mkdir makes: it is opened to the group last, so that a directory that is still 0700
 * is one whose maker was killed in between (or one an admin wants so in a session).
 */
static int own_finish(int fd, const struct opening *o, mode_t mode)
{
	gid_t gid;

	if (mode == 0700)
		return 0;
	gid = looking_group(o);
	if (gid != (gid_t)-1 && fchown(fd, (uid_t)-1, gid) < 0)
		return -1;
	return fchmod(fd, mode);
}

/* 0, *ret_fd may be -1: absent. */
static int own_open(int at, const char *name, const char *path, const struct opening *o,
		    mode_t mode, int *ret_fd, struct vm_err *err)
{
	VM_AUTO_FD int fd = -1;
	bool made = false;
	struct stat st;

	for (;;) {
		fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (fd >= 0 || errno != ENOENT || o->access == VM_STATE_READ || made)
			break;
		if (mkdirat(at, name, 0700) < 0 && errno != EEXIST)
			return vm_err_sys(err, "make directory %s", path);
		made = true;
	}
	if (fd < 0 && errno == ENOENT)
		return 0;
	if (fd < 0 && (errno == ELOOP || errno == ENOTDIR)) {
		vm_err_set(err, VM_DENIED, "open %s: not a directory of ours", path);
		return vm_err_hint(err, "no place of vm-utils may be a symbolic link; use a mount");
	}
	if (fd < 0) {
		vm_err_sys(err, "open directory %s", path);
		if (errno == EACCES && !o->session && o->group)
			vm_err_hint(err, "only root and the group '%s' may look there", o->group);
		return -1;
	}
	if (fstat(fd, &st) < 0)
		return vm_err_sys(err, "open directory %s", path);
	if (st.st_uid != 0 && st.st_uid != geteuid())
		return vm_err_set(err, VM_DENIED, "open directory %s: it belongs to user %u", path,
				  (unsigned)st.st_uid);
	if (o->access == VM_STATE_CHANGE && st.st_uid == geteuid() &&
	    (st.st_mode & 07777) == 0700 && own_finish(fd, o, mode) < 0)
		return vm_err_sys(err, "set the mode of %s", path);
	*ret_fd = vm_take_fd(&fd);
	return 0;
}

/* Opens base, base/vm and base/vm/SUB; *ret_sub may be -1, ret_vm NULL. */
static int tree_open(const struct tree *t, const char *sub, const struct opening *o,
		     mode_t sub_mode, int *ret_vm, int *ret_sub, struct vm_err *err)
{
	VM_AUTO_FREE char *rest = vm_xstrdup(t->own);
	VM_AUTO_FREE char *path = vm_xstrdup(t->base);
	VM_AUTO_FD int at = -1;
	char *part, *save = NULL, *longer;
	int fd;

	if (o->access == VM_STATE_CHANGE) {
		if (vm_dir_make(AT_FDCWD, t->base, 0755, &at, err) < 0)
			return -1;
	} else {
		at = open(t->base, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (at < 0)
			return errno == ENOENT ? 0 : vm_err_sys(err, "open directory %s", t->base);
	}
	for (part = strtok_r(rest, "/", &save); part; part = strtok_r(NULL, "/", &save)) {
		longer = vm_xasprintf("%s/%s", path, part);
		free(path);
		path = longer;
		fd = -1;
		if (own_open(at, part, path, o, own_mode(o, t->mode), &fd, err) < 0)
			return -1;
		vm_cleanup_fd(&at);
		at = fd;
		if (at < 0)
			return 0;
	}
	longer = vm_xasprintf("%s/%s", path, sub);
	free(path);
	path = longer;
	if (own_open(at, sub, path, o, own_mode(o, sub_mode), ret_sub, err) < 0)
		return -1;
	if (ret_vm)
		*ret_vm = vm_take_fd(&at);
	return 0;
}

static char *xdg(const char *variable, const char *home_relative, struct vm_err *err)
{
	const char *dir = secure_getenv(variable), *home;

	/* the XDG base directory specification: a relative path is to be ignored */
	if (dir && *dir == '/')
		return vm_state_path(dir);
	home = secure_getenv("HOME");
	if (!home || *home != '/') {
		vm_err_set(err, VM_BAD_INPUT, "HOME is not set: no place for a session's guests");
		return NULL;
	}
	{
		VM_AUTO_FREE char *path = vm_xasprintf("%s/%s", home, home_relative);

		return vm_state_path(path);
	}
}

enum { ETC, RUN, LIB, LOG, TREES };

static void trees_free(struct tree (*t)[TREES])
{
	size_t i;

	for (i = 0; i < TREES; i++)
		free((*t)[i].base);
}

static int trees_find(bool session, struct tree t[TREES], struct vm_err *err)
{
	const char *runtime;

	if (!session) {
		t[ETC] = (struct tree){vm_state_path(VM_SYSCONFDIR), "vm", 0755};
		t[RUN] = (struct tree){vm_state_path(SYSTEM_RUN), "vm", 0750};
		t[LIB] = (struct tree){vm_state_path("/var/lib"), "vm", 0755};
		t[LOG] = (struct tree){vm_state_path("/var/log"), "vm", 0750};
		return 0;
	}
	runtime = secure_getenv("XDG_RUNTIME_DIR");
	t[ETC] = (struct tree){xdg("XDG_CONFIG_HOME", ".config", err), "vm", 0700};
	/* Without a session manager nothing is wiped at boot: boot ids tell old records. */
	t[RUN] = (struct tree){runtime && *runtime == '/' ? vm_state_path(runtime)
							  : xdg("XDG_CACHE_HOME", ".cache", err),
			       runtime && *runtime == '/' ? "vm" : "vm/run", 0700};
	t[LIB] = (struct tree){xdg("XDG_DATA_HOME", ".local/share", err), "vm", 0700};
	t[LOG] = (struct tree){xdg("XDG_STATE_HOME", ".local/state", err), "vm/log", 0700};
	return t[ETC].base && t[RUN].base && t[LIB].base && t[LOG].base ? 0 : -1;
}

static int driver_check(const struct vm_uri *uri, struct vm_err *err)
{
	size_t i;

	if (uri->transport)
		return vm_err_set(err, VM_UNSUPPORTED, "%s+%s: not a connection of this host",
				  uri->driver, uri->transport);
	for (i = 0; i < VM_COUNT(local_drivers); i++)
		if (strcmp(local_drivers[i], uri->driver) == 0)
			return 0;
	vm_err_set(err, VM_UNSUPPORTED, "no driver for %s:// connections", uri->driver);
	return vm_err_hint(err, "this build has: qemu");
}

/* Looking must work with a vm.conf that has a fault; changing must not guess what was meant. */
static int conf_load(struct vm_state *s, int etc_vm, enum vm_state_access access,
		     struct vm_err *err)
{
	struct vm_err fault = VM_ERR_INIT;

	if (vm_conf_load(etc_vm, &s->conf, NULL, &fault) == 0)
		return 0;
	if (access == VM_STATE_CHANGE) {
		*err = fault;
		return -1;
	}
	vm_log_warning("%s", fault.msg);
	return vm_conf_load(-1, &s->conf, NULL, err);
}

static int places_open(struct vm_state *s, struct tree t[TREES], struct opening *o,
		       struct vm_err *err)
{
	VM_AUTO_FD int etc_vm = -1;
	VM_AUTO_FD int run_vm = -1;

	if (tree_open(&t[ETC], s->driver, o, 0750, &etc_vm, &s->etc, err) < 0 ||
	    conf_load(s, etc_vm, o->access, err) < 0)
		return -1;
	/* The group is vm.conf's: what was made above belongs to "vm" unless that says otherwise
	 * later. */
	o->group = s->conf.group;
	if (tree_open(&t[RUN], s->driver, o, 0750, &run_vm, &s->run, err) < 0 ||
	    tree_open(&t[LIB], s->driver, o, 0750, NULL, &s->lib, err) < 0 ||
	    tree_open(&t[LOG], s->driver, o, 0750, NULL, &s->log, err) < 0)
		return -1;
	if (run_vm >= 0 &&
	    own_open(run_vm, "claims", "claims", o, own_mode(o, 0750), &s->claims, err) < 0)
		return -1;
	s->etc_path = vm_xasprintf("%s/%s/%s", t[ETC].base, t[ETC].own, s->driver);
	s->run_path = vm_xasprintf("%s/%s/%s", t[RUN].base, t[RUN].own, s->driver);
	s->lib_path = vm_xasprintf("%s/%s/%s", t[LIB].base, t[LIB].own, s->driver);
	s->log_path = vm_xasprintf("%s/%s/%s", t[LOG].base, t[LOG].own, s->driver);
	return 0;
}

int vm_state_open(const char *connect, enum vm_state_access access, struct vm_state *ret,
		  struct vm_err *err)
{
	VM_AUTO(vm_state_close) struct vm_state s = VM_STATE_INIT;
	VM_AUTO(trees_free) struct tree t[TREES] = {0};
	struct opening o = {.access = access, .group = "vm"};

	if (root_check(err) < 0 || vm_uri_parse(connect, &s.uri, err) < 0 ||
	    driver_check(&s.uri, err) < 0)
		return -1;
	s.driver = s.uri.driver;
	o.session = s.uri.session;
	if (trees_find(o.session, t, err) < 0 || places_open(&s, t, &o, err) < 0)
		return -1;
	*ret = s;
	s = VM_STATE_INIT;
	return 0;
}

bool vm_state_usual(const struct vm_state *s)
{
	VM_AUTO_FREE char *usual = vm_xasprintf(SYSTEM_RUN "/vm/%s", s->driver);

	return strcmp(s->run_path, usual) == 0;
}

void vm_state_close(struct vm_state *s)
{
	vm_cleanup_fd(&s->etc);
	vm_cleanup_fd(&s->run);
	vm_cleanup_fd(&s->lib);
	vm_cleanup_fd(&s->log);
	vm_cleanup_fd(&s->claims);
	free(s->etc_path);
	free(s->run_path);
	free(s->lib_path);
	free(s->log_path);
	vm_conf_free(&s->conf);
	vm_uri_free(&s->uri);
	*s = VM_STATE_INIT;
}
