/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "uses.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/file.h>

#include "mounts.h"

#define TABLE_MAX   (16u << 20) /* bytes of mountinfo, swaps or a table of routes */
#define STACK_DEPTH 16		/* volumes on volumes */
#define USES_MAX    65536u

const char *const vm_use_words[] = {
	"mounted", "swap", "volume", "route", "bridge", "console", "guest-has", NULL,
};

static void add(struct vm_uses *uses, enum vm_use_kind kind, const char *path, const char *what,
		const char *by)
{
	if (uses->n >= USES_MAX)
		return;
	if (uses->n % 32 == 0)
		uses->v = vm_xreallocarray(uses->v, uses->n + 32, sizeof(*uses->v));
	uses->v[uses->n++] = (struct vm_use){ kind, vm_xstrdup(path), vm_xstrdup(what), vm_xstrdup(by) };
}

static char *read_table(const struct vm_sys *s, const char *where, const char *name, struct vm_unread *u)
{
	VM_AUTO_FD int dir = vm_sys_look(s, where, u);
	VM_AUTO_FD int fd = dir < 0 ? -1 : openat(dir, name, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	struct vm_err why = VM_ERR_INIT;
	char *text = NULL;

	if (fd >= 0 && vm_fd_read(fd, name, TABLE_MAX, &text, NULL, &why) < 0)
		errno = why.sys != 0 ? why.sys : EFBIG;
	if (dir >= 0 && text == NULL)
		vm_unread_note(u, dir, name);
	return text;
}

/* A device of block, and those that it is made of. */
static void add_block(const struct vm_sys *s, struct vm_uses *uses, int dir, enum vm_use_kind kind,
		      const char *what, int depth, struct vm_unread *u)
{
	VM_AUTO_FREE char *path = vm_sys_path(s, dir, u);
	VM_AUTO_FD int slaves = vm_sys_look_at(dir, "slaves", u);
	VM_AUTO(vm_sys_names_free) struct vm_sys_names names = { 0 };

	if (path == NULL || depth > STACK_DEPTH)
		return;
	add(uses, kind, path, what, strrchr(path, '/') + 1);
	if (slaves >= 0)
		vm_sys_names(slaves, &names, u);
	for (size_t i = 0; i < names.n; i++) {
		VM_AUTO_FD int below = vm_sys_look_at(slaves, names.v[i], u);

		if (below >= 0)
			add_block(s, uses, below, kind, what, depth + 1, u);
	}
}

static void add_number(const struct vm_sys *s, struct vm_uses *uses, unsigned maj, unsigned min,
		       enum vm_use_kind kind, const char *what, struct vm_unread *u)
{
	VM_AUTO_FREE char *name = vm_xasprintf("sys/dev/block/%u:%u", maj, min);
	VM_AUTO_FD int dir = vm_sys_look(s, name, u);

	if (dir >= 0)
		add_block(s, uses, dir, kind, what, 0, u);
}

/* A node by its path, as mounts of file systems with several devices and swap have it. */
static void add_path(const struct vm_sys *s, struct vm_uses *uses, const char *path,
		     enum vm_use_kind kind, const char *what, struct vm_unread *u)
{
	VM_AUTO_FREE char *class = NULL;
	VM_AUTO_FD int dir = -1;
	struct stat st;

	if (strncmp(path, "/dev/", 5) != 0)
		return;
	if (!s->recorded && stat(path, &st) < 0)
		vm_unread_note(u, s->root, path);
	else if (!s->recorded && S_ISBLK(st.st_mode)) {
		add_number(s, uses, major(st.st_rdev), minor(st.st_rdev), kind, what, u);
		return;
	}
	class = vm_xasprintf("sys/class/block/%s", strrchr(path, '/') + 1);
	dir = vm_sys_look(s, class, u);
	if (dir >= 0)
		add_block(s, uses, dir, kind, what, 0, u);
}

/* A share of the host above, by the tag of the virtio device that it comes through. */
static void add_share(const struct vm_sys *s, struct vm_uses *uses, const char *driver, const char *tag, const char *what,
		      struct vm_unread *u)
{
	VM_AUTO_FREE char *place = vm_xasprintf("sys/bus/virtio/drivers/%s", driver);
	VM_AUTO(vm_sys_names_free) struct vm_sys_names names = { 0 };
	VM_AUTO_FD int top = vm_sys_look(s, place, u);

	if (top >= 0)
		vm_sys_names(top, &names, u);
	for (size_t i = 0; i < names.n; i++) {
		VM_AUTO_FD int dir = strncmp(names.v[i], "virtio", 6) == 0 ? vm_sys_look_at(top, names.v[i], u) : -1;
		VM_AUTO_FREE char *path = dir < 0 ? NULL : vm_sys_path(s, dir, u);
		char text[VM_SYS_TEXT];
		/* the file ends with a NUL; virtiofs has none */
		int n = dir < 0 ? -1 : vm_sys_bytes(dir, "mount_tag", text, sizeof(text) - 1, u);

		text[n > 0 ? n : 0] = 0;
		text[strcspn(text, "\n")] = 0;
		if (path != NULL && (n < 0 || strcmp(text, tag) == 0))
			add(uses, VM_USE_MOUNT, path, what, names.v[i]);
	}
}

/* What is mounted without being on one block device: "/dev/sda1", "/dev/sda:/dev/sdb", a tag. */
static void add_source(const struct vm_sys *s, struct vm_uses *uses, const struct vm_mount *m, struct vm_unread *u)
{
	VM_AUTO_FREE char *copy = vm_xstrdup(m->source);
	char *one, *rest = copy;

	if (strcmp(m->type, "9p") == 0)
		add_share(s, uses, "9pnet_virtio", m->source, m->point, u);
	else if (strcmp(m->type, "virtiofs") == 0)
		add_share(s, uses, "virtiofs", m->source, m->point, u);
	else
		while ((one = strsep(&rest, ":")) != NULL)
			add_path(s, uses, one, VM_USE_MOUNT, m->point, u);
}

/* Of a file system on several devices the table of mounts names one.  Source: Linux, fs/btrfs/sysfs.c. */
static void read_btrfs(const struct vm_sys *s, struct vm_uses *uses, struct vm_unread *u)
{
	VM_AUTO(vm_sys_names_free) struct vm_sys_names all = { 0 };
	VM_AUTO_FD int top = vm_sys_look(s, "sys/fs/btrfs", u);

	if (top >= 0)
		vm_sys_names(top, &all, u);
	for (size_t i = 0; i < all.n; i++) {
		VM_AUTO_FREE char *place = vm_xasprintf("sys/fs/btrfs/%s/devices", all.v[i]);
		VM_AUTO_FREE char *what = vm_xasprintf("btrfs %s", all.v[i]);
		VM_AUTO(vm_sys_names_free) struct vm_sys_names names = { 0 };
		VM_AUTO_FD int devices = vm_sys_look(s, place, u);

		if (devices >= 0)
			vm_sys_names(devices, &names, u);
		for (size_t d = 0; d < names.n; d++) {
			VM_AUTO_FREE char *class = vm_xasprintf("sys/class/block/%s", names.v[d]);
			VM_AUTO_FD int dir = vm_sys_look(s, class, u);

			if (dir >= 0)
				add_block(s, uses, dir, VM_USE_VOLUME, what, 0, u);
		}
	}
}

static void read_mounts(const struct vm_sys *s, struct vm_uses *uses, struct vm_unread *u)
{
	VM_AUTO(vm_mounts_end) struct vm_mounts mounts;
	struct vm_mount m;
	int r;

	vm_mounts_begin(read_table(s, "proc/self", "mountinfo", u), &mounts);
	while ((r = vm_mounts_next(&mounts, &m)) != 0) {
		if (r < 0) {
			errno = EBADMSG;
			vm_unread_note(u, s->root, "proc/self/mountinfo");
			continue;
		}
		if (m.major != 0)
			add_number(s, uses, m.major, m.minor, VM_USE_MOUNT, m.point, u);
		else
			add_source(s, uses, &m, u);
	}
}

static void read_swaps(const struct vm_sys *s, struct vm_uses *uses, struct vm_unread *u)
{
	VM_AUTO_FREE char *text = read_table(s, "proc", "swaps", u);
	char *line, *save = NULL;

	for (line = text ? strtok_r(text, "\n", &save) : NULL; line; line = strtok_r(NULL, "\n", &save)) {
		line[strcspn(line, " \t")] = 0;
		add_path(s, uses, line, VM_USE_SWAP, line, u);
	}
}

/* Members of volumes that are not mounted are in use too. */
static void read_volumes(const struct vm_sys *s, struct vm_uses *uses, struct vm_unread *u)
{
	VM_AUTO(vm_sys_names_free) struct vm_sys_names names = { 0 };
	VM_AUTO_FD int top = vm_sys_look(s, "sys/class/block", u);

	if (top >= 0)
		vm_sys_names(top, &names, u);
	for (size_t i = 0; i < names.n; i++) {
		VM_AUTO_FREE char *class = vm_xasprintf("sys/class/block/%s", names.v[i]);
		VM_AUTO_FD int dir = vm_sys_look(s, class, u);
		VM_AUTO_FD int holders = dir < 0 ? -1 : vm_sys_look_at(dir, "holders", u);
		VM_AUTO(vm_sys_names_free) struct vm_sys_names above = { 0 };

		if (holders < 0)
			continue;
		vm_sys_names(holders, &above, u);
		for (size_t h = 0; h < above.n; h++)
			add_block(s, uses, dir, VM_USE_VOLUME, above.v[h], 0, u);
	}
}

static void add_link(const struct vm_sys *s, struct vm_uses *uses, const char *name,
		     enum vm_use_kind kind, const char *what, struct vm_unread *u)
{
	VM_AUTO_FREE char *class = NULL;
	VM_AUTO_FREE char *path = NULL;
	VM_AUTO_FD int dir = -1;

	if (strchr(name, '/') != NULL)
		return;
	class = vm_xasprintf("sys/class/net/%s", name);
	dir = vm_sys_look(s, class, u);
	path = dir < 0 ? NULL : vm_sys_path(s, dir, u);
	if (path == NULL)
		return;
	for (size_t i = 0; i < uses->n; i++)
		if (uses->v[i].kind == kind && strcmp(uses->v[i].path, path) == 0)
			return;
	add(uses, kind, path, what, name);
}

static void read_routes(const struct vm_sys *s, struct vm_uses *uses, struct vm_unread *u)
{
	VM_AUTO_FREE char *text = read_table(s, "proc/net", "route", u);
	VM_AUTO_FREE char *six = read_table(s, "proc/net", "ipv6_route", u);
	char *line, *save = NULL, *name;

	line = text ? strtok_r(text, "\n", &save) : NULL; /* the heading */
	while (line != NULL && (line = strtok_r(NULL, "\n", &save)) != NULL) {
		line[strcspn(line, " \t")] = 0;
		add_link(s, uses, line, VM_USE_ROUTE, line, u);
	}
	for (line = six ? strtok_r(six, "\n", &save) : NULL; line; line = strtok_r(NULL, "\n", &save)) {
		/* every interface that is up has routes for link-local and multicast addresses */
		if (strncmp(line, "fe8", 3) == 0 || strncmp(line, "ff", 2) == 0)
			continue;
		name = strrchr(line, ' ');
		if (name != NULL && strcmp(name + 1, "lo") != 0)
			add_link(s, uses, name + 1, VM_USE_ROUTE, name + 1, u);
	}
}

static void read_bridges(const struct vm_sys *s, struct vm_uses *uses, struct vm_unread *u)
{
	VM_AUTO(vm_sys_names_free) struct vm_sys_names names = { 0 };
	VM_AUTO_FD int top = vm_sys_look(s, "sys/class/net", u);

	if (top >= 0)
		vm_sys_names(top, &names, u);
	for (size_t i = 0; i < names.n; i++) {
		VM_AUTO_FREE char *class = vm_xasprintf("sys/class/net/%s", names.v[i]);
		VM_AUTO_FD int dir = vm_sys_look(s, class, u);
		char master[64];

		if (dir >= 0 && vm_sys_link(dir, "master", master, sizeof(master), u))
			add_link(s, uses, names.v[i], VM_USE_BRIDGE, master, u);
	}
}

/* Terminals of the kernel's messages, and the frame buffer of the firmware's screen. */
static void read_consoles(const struct vm_sys *s, struct vm_uses *uses, struct vm_unread *u)
{
	VM_AUTO_FD int tty = vm_sys_look(s, "sys/class/tty/console", u);
	VM_AUTO(vm_sys_names_free) struct vm_sys_names screens = { 0 };
	VM_AUTO_FD int graphics = vm_sys_look(s, "sys/class/graphics", u);
	char text[VM_SYS_TEXT], *word, *save = NULL;

	if (tty < 0 || !vm_sys_text(tty, "active", text, sizeof(text), u))
		text[0] = 0;
	for (word = strtok_r(text, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
		VM_AUTO_FREE char *class = vm_xasprintf("sys/class/tty/%s", word);
		VM_AUTO_FD int dir = strchr(word, '/') ? -1 : vm_sys_look(s, class, u);
		VM_AUTO_FREE char *path = dir < 0 ? NULL : vm_sys_path(s, dir, u);

		if (path != NULL)
			add(uses, VM_USE_CONSOLE, path, word, word);
	}
	if (graphics >= 0)
		vm_sys_names(graphics, &screens, u);
	for (size_t i = 0; i < screens.n; i++) {
		VM_AUTO_FREE char *class = vm_xasprintf("sys/class/graphics/%s", screens.v[i]);
		VM_AUTO_FD int dir = vm_sys_look(s, class, u);
		VM_AUTO_FD int device = dir < 0 ? -1 : vm_sys_look_at(dir, "device", u);
		VM_AUTO_FREE char *path = dir < 0 ? NULL : vm_sys_path(s, dir, u);
		int64_t vga;

		if (path != NULL && device >= 0 && vm_sys_i64(device, "boot_vga", &vga, u) && vga == 1)
			add(uses, VM_USE_CONSOLE, path, screens.v[i], screens.v[i]);
	}
}

void vm_uses_read(const struct vm_sys *s, struct vm_uses *ret, struct vm_unread *u)
{
	*ret = (struct vm_uses){ 0 };
	read_mounts(s, ret, u);
	read_swaps(s, ret, u);
	read_volumes(s, ret, u);
	read_btrfs(s, ret, u);
	read_routes(s, ret, u);
	read_bridges(s, ret, u);
	read_consoles(s, ret, u);
}

/* A virtual function is beside the card that it is of. */
static const struct claimed {
	const char *kind, *place, *link;
} claimed[] = {
	{ "usb:", "sys/bus/usb/devices/", "" },	  { "scsi:", "sys/bus/scsi/devices/", "" },
	{ "mdev:", "sys/bus/mdev/devices/", "" }, { "pci:", "sys/bus/pci/devices/", "/physfn" },
	{ "block:", "sys/dev/block/", "" },
};

static const struct claimed *claimed_kind(const char *key)
{
	for (size_t i = 0; i < VM_COUNT(claimed); i++)
		if (strncmp(key, claimed[i].kind, strlen(claimed[i].kind)) == 0 && strchr(key, '/') == NULL)
			return &claimed[i];
	return NULL;
}

bool vm_uses_is_device(const char *key)
{
	return claimed_kind(key) != NULL;
}

void vm_uses_add_guest(const struct vm_sys *s, struct vm_uses *uses, const char *key, const char *guest, struct vm_unread *u)
{
	const struct claimed *c = claimed_kind(key);
	VM_AUTO_FREE char *place = c != NULL ? vm_xasprintf("%s%s%s", c->place, key + strlen(c->kind), c->link) : NULL;
	VM_AUTO_FD int dir = c != NULL ? vm_sys_look(s, place, u) : -1;
	VM_AUTO_FREE char *path = NULL;
	VM_AUTO_FREE char *below = NULL;

	if (dir >= 0 && strcmp(c->kind, "block:") == 0) {
		add_block(s, uses, dir, VM_USE_GUEST, guest, 0, u);
		return;
	}
	path = dir < 0 ? NULL : vm_sys_path(s, dir, u);
	if (path == NULL)
		return;
	/* the card is used by way of its function, which is not it */
	below = strncmp(key, "pci:", 4) == 0 ? vm_xasprintf("%s/%s", path, key + 4) : vm_xstrdup(path);
	add(uses, VM_USE_GUEST, below, guest, strncmp(key, "pci:", 4) == 0 ? key + 4 : key);
}

void vm_uses_free(struct vm_uses *u)
{
	for (size_t i = 0; i < u->n; i++) {
		free(u->v[i].path);
		free(u->v[i].what);
		free(u->v[i].by);
	}
	free(u->v);
	*u = (struct vm_uses){ 0 };
}

const struct vm_use *vm_uses_next(const struct vm_uses *u, const char *path, size_t *at)
{
	size_t len = strlen(path);

	while (*at < u->n) {
		const struct vm_use *use = &u->v[(*at)++];

		if (strncmp(use->path, path, len) == 0 && (use->path[len] == '/' || use->path[len] == 0))
			return use;
	}
	return NULL;
}
