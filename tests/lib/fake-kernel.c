/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Plays the kernel's rules for binding PCI devices on a tree that fake-sysfs made: shows it by FUSE under another
 * directory, so that a write is answered, refused or left hanging as sysfs would.
 *
 *   fake-kernel TREE MOUNTPOINT     ends when it is unmounted
 *
 * A device that is bound cannot be bound; drivers_probe takes the driver that driver_override names, else the one
 * for its id, and never fails for want of one; /dev/vfio/N is there while a member of group N is on vfio-pci.
 * power/control of a device becomes "auto" when it is bound to VFIO and "on" when it is not any more.
 * A mediated device is there from the write to its type's file create to that to its own file remove; its file "note"
 * can be written.  sriov_numvfs takes 0, or what is not more than sriov_totalvfs when it was 0: the functions are
 * the first lines of TREE/vfs-ADDRESS, in fake-sysfs's language.
 * vport_create of a Fibre Channel host takes "WWPN:WWNN" and makes host60 and further; vport_delete takes it back.
 * TREE/ctl/hang-sriov_numvfs, -create, -remove, -vport_create: likewise.  TREE/ctl/fail-FILE: writing to a file of that name fails, with
 * the errno that stands in it, else EIO.
 * TREE/ctl/hang-ADDRESS: unbinding it does not return while that file is there; nor, from then on, does anything else
 * that takes the device's lock.
 * TREE/ctl/refuse-DRIVER: its probe fails.  TREE/ctl/takes-ADDRESS: when it is to go to VFIO, it goes to the
 * driver that stands in it.  TREE/ctl/log: each write that was understood, a line each.
 *
 * Source: Linux Documentation/filesystems/fuse.rst, linux/fuse.h; drivers/base/bus.c, drivers/pci/pci-sysfs.c and
 * drivers/vfio/pci/vfio_pci_core.c for the rules.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fuse.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define NODES_MAX   8192
#define PENDING_MAX 64
#define BUFFER	    (256 * 1024)

static char *nodes[NODES_MAX]; /* path below the tree; 1 is "." */
static enum { USED, USED_ONCE, NOT_USED } use[NODES_MAX];
static uint64_t n_nodes = 2, generation;
static int tree, dev;

static struct pending {
	struct fuse_in_header in;
	struct fuse_read_in read; /* size 0: something was written */
	char name[64], text[256]; /* of TREE/ctl/hang-NAME; what was written */
	uint32_t size;
} pending[PENDING_MAX];
static int n_pending;

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "fake-kernel: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void reply(uint64_t unique, int error, const void *data, size_t len)
{
	struct fuse_out_header head = { .len = (uint32_t)(sizeof(head) + (error ? 0 : len)),
					.error = -error, .unique = unique };
	struct iovec v[2] = { { &head, sizeof(head) }, { (void *)(uintptr_t)data, error ? 0 : len } };

	if (writev(dev, v, 2) < 0 && errno != ENOENT && errno != EINVAL)
		die("answer");
}

__attribute__((format(printf, 1, 2))) static char *format(const char *fmt, ...)
{
	static char ring[8][PATH_MAX];
	static unsigned at;
	char *buf = ring[at++ % 8];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(buf, PATH_MAX, fmt, ap);
	va_end(ap);
	return buf;
}

static const char *base_of(const char *path)
{
	return strrchr(path, '/') != NULL ? strrchr(path, '/') + 1 : path;
}

static int there(const char *path)
{
	struct stat st;

	return fstatat(tree, path, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

static void note(const char *line)
{
	int fd = openat(tree, "ctl/log", O_WRONLY | O_APPEND);

	if (fd < 0)
		return;
	dprintf(fd, "%s\n", line);
	close(fd);
}

static uint64_t node_of(const char *path)
{
	for (uint64_t i = 1; i < n_nodes; i++)
		if (use[i] == USED && strcmp(nodes[i], path) == 0)
			return i;
	if (n_nodes == NODES_MAX)
		return 0;
	nodes[n_nodes] = strdup(path);
	return n_nodes++;
}

/*
 * Of a file that all devices share, an inode for each who opens it: the kernel lets nobody write to one in which
 * another's write hangs, where sysfs does.
 */
static uint64_t node_of_its_own(const char *path)
{
	uint64_t i = 2;

	while (i < n_nodes && use[i] != NOT_USED)
		i++;
	if (i == NODES_MAX)
		return 0;
	n_nodes += i == n_nodes;
	free(nodes[i]);
	nodes[i] = strdup(path);
	use[i] = USED_ONCE;
	return i;
}

static void forget(uint64_t node)
{
	if (node < n_nodes && use[node] == USED_ONCE)
		use[node] = NOT_USED;
}

static void forget_all(const struct fuse_batch_forget_in *all)
{
	const struct fuse_forget_one *one = (const void *)(all + 1);

	for (uint32_t i = 0; i < all->count; i++)
		forget(one[i].nodeid);
}

static void fill_attr(const struct stat *st, struct fuse_attr *a)
{
	*a = (struct fuse_attr){
		.ino = st->st_ino, .size = (uint64_t)st->st_size, .mode = st->st_mode, .nlink = 1,
		.mtime = (uint64_t)st->st_mtim.tv_sec, .ctime = (uint64_t)st->st_ctim.tv_sec, .blksize = 4096,
	};
}

static void lookup(const struct fuse_in_header *in, const char *name)
{
	const char *parent = nodes[in->nodeid];
	const char *path = strcmp(parent, ".") == 0 ? name : format("%s/%s", parent, name);
	struct fuse_entry_out out = { 0 };
	struct stat st;

	if (strcmp(path, "ctl") == 0 || fstatat(tree, path, &st, AT_SYMLINK_NOFOLLOW) < 0) {
		reply(in->unique, ENOENT, NULL, 0);
		return;
	}
	if (strcmp(name, "unbind") == 0 || strcmp(name, "drivers_probe") == 0) {
		out.nodeid = node_of_its_own(path);
		out.generation = ++generation;
	} else {
		out.nodeid = node_of(path);
	}
	fill_attr(&st, &out.attr);
	reply(in->unique, out.nodeid == 0 ? ENFILE : 0, &out, sizeof(out));
}

static void getattr(const struct fuse_in_header *in)
{
	struct fuse_attr_out out = { 0 };
	struct stat st;

	if (fstatat(tree, nodes[in->nodeid], &st, AT_SYMLINK_NOFOLLOW) < 0) {
		reply(in->unique, errno, NULL, 0);
		return;
	}
	fill_attr(&st, &out.attr);
	reply(in->unique, 0, &out, sizeof(out));
}

static void read_link(const struct fuse_in_header *in)
{
	char target[PATH_MAX];
	ssize_t n = readlinkat(tree, nodes[in->nodeid], target, sizeof(target));

	reply(in->unique, n < 0 ? errno : 0, target, n < 0 ? 0 : (size_t)n);
}

static void read_file(const struct fuse_in_header *in, const struct fuse_read_in *r)
{
	static char data[BUFFER];
	int fd = openat(tree, nodes[in->nodeid], O_RDONLY);
	ssize_t n = fd < 0 ? -1 : pread(fd, data, r->size < BUFFER ? r->size : BUFFER, (off_t)r->offset);
	int error = n < 0 ? errno : 0;

	if (fd >= 0)
		close(fd);
	reply(in->unique, error, data, n < 0 ? 0 : (size_t)n);
}

static void read_dir(const struct fuse_in_header *in, const struct fuse_read_in *r)
{
	static char data[BUFFER];
	int fd = openat(tree, nodes[in->nodeid], O_RDONLY | O_DIRECTORY);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;
	uint64_t n = 0;
	size_t used = 0;

	if (d == NULL) {
		reply(in->unique, errno, NULL, 0);
		return;
	}
	while ((e = readdir(d)) != NULL) {
		struct fuse_dirent *out = (struct fuse_dirent *)(void *)(data + used);
		size_t len = strlen(e->d_name), size = FUSE_DIRENT_ALIGN(FUSE_NAME_OFFSET + len);

		if (n++ < r->offset)
			continue;
		if (used + size > r->size || used + size > BUFFER)
			break;
		memset(out, 0, size);
		*out = (struct fuse_dirent){ .ino = e->d_ino ? e->d_ino : 1, .off = n, .namelen = (uint32_t)len,
					     .type = e->d_type };
		memcpy(data + used + FUSE_NAME_OFFSET, e->d_name, len);
		used += size;
	}
	closedir(d);
	reply(in->unique, 0, data, used);
}

/* ---- the rules ---- */

static int read_text(const char *path, char *buf, size_t size)
{
	int fd = openat(tree, path, O_RDONLY);
	ssize_t n = fd < 0 ? -1 : read(fd, buf, size - 1);

	if (fd >= 0)
		close(fd);
	if (n < 0)
		return -1;
	buf[n] = 0;
	buf[strcspn(buf, "\n")] = 0;
	return 0;
}

static void write_text(const char *path, const char *text)
{
	int fd = openat(tree, path, O_WRONLY | O_CREAT | O_TRUNC, 0644);

	if (fd < 0 || dprintf(fd, "%s\n", text) < 0)
		die(path);
	close(fd);
}

/* The device's directory below the tree, as its link on the bus says. */
static const char *place_of(const char *address)
{
	char target[PATH_MAX];
	ssize_t n = readlinkat(tree, format("sys/bus/pci/devices/%s", address), target, sizeof(target) - 1);

	if (n < 0)
		return NULL;
	target[n] = 0;
	return format("%s", strstr(target, "sys/devices/"));
}

static const char *driver_of(const char *address)
{
	char target[PATH_MAX];
	const char *place = place_of(address);
	ssize_t n = place ? readlinkat(tree, format("%s/driver", place), target, sizeof(target) - 1) : -1;

	if (n < 0)
		return NULL;
	target[n] = 0;
	return format("%s", strrchr(target, '/') + 1);
}

static const char *group_of(const char *place)
{
	char target[PATH_MAX];
	ssize_t n = readlinkat(tree, format("%s/iommu_group", place), target, sizeof(target) - 1);

	if (n < 0)
		return NULL;
	target[n] = 0;
	return format("%s", strrchr(target, '/') + 1);
}

/* The node of a group is there while a member is on VFIO. */
static void update_node(const char *place)
{
	const char *group = group_of(place);
	DIR *d;
	struct dirent *e;
	int fd, n = 0;

	if (group == NULL)
		return;
	group = strdup(group);
	fd = openat(tree, format("sys/kernel/iommu_groups/%s/devices", group), O_RDONLY | O_DIRECTORY);
	d = fdopendir(fd);
	while (d != NULL && (e = readdir(d)) != NULL) {
		const char *driver = e->d_name[0] == '.' ? NULL : driver_of(e->d_name);

		n += driver != NULL && strstr(driver, "vfio") != NULL;
	}
	if (d != NULL)
		closedir(d);
	if (n > 0 && !there("ctl/no-node"))
		write_text(format("dev/vfio/%s", group), "");
	else
		unlinkat(tree, format("dev/vfio/%s", group), 0);
}

/* VFIO lets a device sleep, and forbids it when it lets go. */
static void let_sleep(const char *place, const char *driver, const char *word)
{
	const char *control = strdup(format("%s/power/control", place));

	if (strncmp(driver, "vfio", 4) == 0 && there(control))
		write_text(control, word);
}

static void attach(const char *address, const char *driver)
{
	const char *place = strdup(place_of(address));
	char up[PATH_MAX] = "";

	for (const char *p = place; *p != 0; p++)
		if (*p == '/')
			strcat(up, "../");
	if (symlinkat(format("%s../sys/bus/pci/drivers/%s", up, driver), tree, format("%s/driver", place)) < 0 ||
	    symlinkat(format("../../../../../%s", place), tree, format("sys/bus/pci/drivers/%s/%s", driver, address)) < 0)
		die("attach");
	update_node(place);
	let_sleep(place, driver, "auto");
	note(format("bound %s %s", address, driver));
}

static void release(const char *address, const char *driver)
{
	const char *place = strdup(place_of(address));

	unlinkat(tree, format("%s/driver", place), 0);
	unlinkat(tree, format("sys/bus/pci/drivers/%s/%s", driver, address), 0);
	update_node(place);
	let_sleep(place, driver, "on");
	note(format("unbound %s %s", address, driver));
}

static const char *matching_driver(const char *place)
{
	char override[128] = "", vendor[32] = "", device[32] = "", want[32], line[256];
	FILE *f;
	int fd;

	read_text(format("%s/driver_override", place), override, sizeof(override));
	if (override[0] != 0 && strcmp(override, "(null)") != 0) {
		if (strncmp(override, "vfio", 4) == 0)
			read_text(format("ctl/takes-%s", base_of(place)), override, sizeof(override));
		return format("%s", override);
	}
	read_text(format("%s/vendor", place), vendor, sizeof(vendor));
	read_text(format("%s/device", place), device, sizeof(device));
	snprintf(want, sizeof(want), "%.4s:%.4s ", vendor + 2, device + 2);
	fd = openat(tree, "drivers", O_RDONLY);
	f = fd < 0 ? NULL : fdopen(fd, "r");
	while (f != NULL && fgets(line, sizeof(line), f) != NULL)
		if (strncmp(line, want, strlen(want)) == 0) {
			line[strcspn(line, "\n")] = 0;
			fclose(f);
			return format("%s", line + strlen(want));
		}
	if (f != NULL)
		fclose(f);
	return NULL;
}

static int probe(const char *address)
{
	const char *place = place_of(address), *driver;

	if (place == NULL)
		return EINVAL;
	if (driver_of(address) != NULL)
		return 0;
	driver = matching_driver(place);
	if (driver == NULL || !there(format("sys/bus/pci/drivers/%s", driver)) ||
	    there(format("ctl/refuse-%s", driver)))
		return 0;
	driver = strdup(driver);
	attach(address, driver);
	return 0;
}

/* ---- what is made on demand ---- */

static void up_from(const char *place, char up[PATH_MAX])
{
	up[0] = 0;
	for (const char *p = place; *p != 0; p++)
		if (*p == '/')
			strcat(up, "../");
}

static void remove_all(const char *path)
{
	int fd = openat(tree, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;

	while (d != NULL && (e = readdir(d)) != NULL)
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0) {
			char below[PATH_MAX];

			snprintf(below, sizeof(below), "%s/%s", path, e->d_name);
			remove_all(below);
		}
	if (d != NULL)
		closedir(d);
	if (unlinkat(tree, path, 0) < 0)
		unlinkat(tree, path, AT_REMOVEDIR);
}

static void count(const char *path, int by)
{
	char number[32] = "0";

	read_text(path, number, sizeof(number));
	snprintf(number, sizeof(number), "%d", atoi(number) + by);
	write_text(path, number);
}

/* type: sys/devices/.../PARENT/mdev_supported_types/TYPE */
static int make_mdev(const char *type, const char *uuid)
{
	static int group = 200;
	char left[32] = "0", up[PATH_MAX], dir[PATH_MAX];
	const char *end = strstr(type, "/mdev_supported_types/");

	if (strlen(uuid) != 36 || end == NULL)
		return EINVAL;
	if (there(format("sys/bus/mdev/devices/%s", uuid)))
		return EEXIST;
	read_text(format("%s/available_instances", type), left, sizeof(left));
	if (atoi(left) <= 0)
		return EUSERS;
	count(format("%s/available_instances", type), -1);
	snprintf(dir, sizeof(dir), "%.*s/%s", (int)(end - type), type, uuid);
	up_from(dir, up);
	mkdirat(tree, dir, 0755);
	mkdirat(tree, "sys/bus/mdev", 0755);
	mkdirat(tree, "sys/bus/mdev/devices", 0755);
	write_text(format("%s/remove", dir), "");
	write_text(format("%s/note", dir), "");
	mkdirat(tree, format("sys/kernel/iommu_groups/%d", group), 0755);
	if (symlinkat(format("%s../%s", up, type), tree, format("%s/mdev_type", dir)) < 0 ||
	    symlinkat(format("%s../sys/kernel/iommu_groups/%d", up, group), tree, format("%s/iommu_group", dir)) < 0 ||
	    symlinkat(format("../../../../%s", dir), tree, format("sys/bus/mdev/devices/%s", uuid)) < 0)
		die("make a mediated device");
	write_text(format("dev/vfio/%d", group), "");
	note(format("made %s group %d", uuid, group++));
	return 0;
}

static int remove_mdev(const char *dir)
{
	const char *uuid = strdup(strrchr(dir, '/') + 1), *group = group_of(dir);
	char type[PATH_MAX];
	ssize_t n = readlinkat(tree, format("%s/mdev_type", dir), type, sizeof(type) - 1);

	if (n < 0)
		return ENODEV;
	type[n] = 0;
	count(format("%s/available_instances", strstr(type, "sys/devices/")), 1);
	if (group != NULL)
		unlinkat(tree, format("dev/vfio/%s", group), 0);
	if (group != NULL)
		remove_all(format("sys/kernel/iommu_groups/%s", group));
	unlinkat(tree, format("sys/bus/mdev/devices/%s", uuid), 0);
	note(format("removed %s", uuid));
	remove_all(dir);
	return 0;
}

/* The first n lines of what the functions are. */
static void make_vfs(const char *pf, int n)
{
	char line[512];
	int fd = openat(tree, format("vfs-%s", pf), O_RDONLY);
	FILE *from = fd < 0 ? NULL : fdopen(fd, "r"), *to;
	char *self = realpath("/proc/self/exe", NULL);

	strcpy(strrchr(self, '/') + 1, "fake-sysfs");
	to = popen(format("%s /proc/%d/fd/%d", self, (int)getpid(), tree), "w");
	while (to != NULL && from != NULL && n-- > 0 && fgets(line, sizeof(line), from) != NULL)
		fputs(line, to);
	if (from != NULL)
		fclose(from);
	if (to == NULL || pclose(to) != 0)
		die("make virtual functions");
	free(self);
}

static void remove_vf(const char *pf, int i)
{
	char target[PATH_MAX], *name, *place;
	const char *driver, *group;
	ssize_t n = readlinkat(tree, format("%s/virtfn%d", pf, i), target, sizeof(target) - 1);

	if (n < 0)
		return;
	target[n] = 0;
	name = strdup(strrchr(target, '/') + 1);
	place = strdup(strstr(target, "sys/devices/"));
	driver = driver_of(name);
	if (driver != NULL)
		release(name, strdup(driver));
	group = group_of(place);
	if (group != NULL)
		remove_all(format("sys/kernel/iommu_groups/%s", strdup(group)));
	unlinkat(tree, format("sys/bus/pci/devices/%s", name), 0);
	unlinkat(tree, format("%s/virtfn%d", pf, i), 0);
	remove_all(place);
}

/* Source: Linux, drivers/pci/iov.c, sriov_numvfs_store(). */
static int set_vfs(const char *pf, const char *text)
{
	const char *address = strdup(strrchr(pf, '/') + 1), *driver = driver_of(address);
	char now[32] = "0", total[32] = "0";
	int n = atoi(text);

	read_text(format("%s/sriov_numvfs", pf), now, sizeof(now));
	read_text(format("%s/sriov_totalvfs", pf), total, sizeof(total));
	if (n > atoi(total))
		return ERANGE;
	if (n == atoi(now))
		return 0;
	if (driver == NULL || strcmp(driver, "vfio-pci") == 0)
		return ENOENT;
	if (n > 0 && atoi(now) > 0)
		return EBUSY;
	for (int i = atoi(now); i-- > 0;)
		remove_vf(pf, i);
	if (n > 0)
		make_vfs(address, n);
	write_text(format("%s/sriov_numvfs", pf), text);
	note(format("numvfs %s %d", address, n));
	return 0;
}

/* Source: Linux, drivers/scsi/scsi_transport_fc.c, store_fc_host_vport_create(). */
static int make_vport(const char *dir, const char *text)
{
	static int next = 60;
	const char *end = strstr(dir, "/fc_host/"), *host;
	char below[PATH_MAX], most[32] = "0", used[32] = "0";

	if (end == NULL || strlen(text) != 33 || text[16] != ':')
		return EINVAL;
	read_text(format("%s/max_npiv_vports", dir), most, sizeof(most));
	read_text(format("%s/npiv_vports_inuse", dir), used, sizeof(used));
	if (atoi(used) >= atoi(most))
		return ENOSPC;
	snprintf(below, sizeof(below), "%.*s/vport-5:0-%d/host%d", (int)(end - dir), dir, next, next);
	host = strdup(format("host%d", next++));
	for (char *p = strchr(below + (end - dir) + 1, '/'); p != NULL; p = strchr(p + 1, '/')) {
		*p = 0;
		mkdirat(tree, below, 0755);
		*p = '/';
	}
	mkdirat(tree, below, 0755);
	mkdirat(tree, format("%s/fc_host", below), 0755);
	mkdirat(tree, format("%s/fc_host/%s", below, host), 0755);
	write_text(format("%s/fc_host/%s/port_name", below, host), format("0x%.16s", text));
	write_text(format("%s/fc_host/%s/node_name", below, host), format("0x%s", text + 17));
	if (symlinkat(format("../../../%s/fc_host/%s", below, host), tree, format("sys/class/fc_host/%s", host)) < 0)
		die("make a virtual port");
	count(format("%s/npiv_vports_inuse", dir), 1);
	note(format("vport %s %s", host, text));
	return 0;
}

static int delete_vport(const char *dir, const char *text)
{
	DIR *d;
	struct dirent *e;
	int fd = openat(tree, "sys/class/fc_host", O_RDONLY | O_DIRECTORY);

	d = fdopendir(fd);
	while (d != NULL && (e = readdir(d)) != NULL) {
		const char *host = strdup(e->d_name);
		char name[64] = "", target[PATH_MAX], *end;
		ssize_t n;

		read_text(format("sys/class/fc_host/%s/port_name", host), name, sizeof(name));
		n = readlinkat(tree, format("sys/class/fc_host/%s", host), target, sizeof(target) - 1);
		if (n < 0 || strncmp(name + 2, text, 16) != 0)
			continue;
		target[n] = 0;
		if ((end = strstr(target, "/vport-")) == NULL)
			continue;
		*strchr(end + 1, '/') = 0;
		unlinkat(tree, format("sys/class/fc_host/%s", host), 0);
		remove_all(strstr(target, "sys/devices/"));
		count(format("%s/npiv_vports_inuse", dir), -1);
		note(format("gone %s", text));
		closedir(d);
		return 0;
	}
	if (d != NULL)
		closedir(d);
	return ENOENT;
}

static int apply(const char *path, const char *base, const char *text)
{
	const char *driver, *dir = format("%.*s", (int)(base - path - (base > path)), path);

	if (strcmp(base, "driver_override") == 0) {
		write_text(path, text[0] != 0 ? text : "(null)");
		note(format("override %s", text));
		return 0;
	}
	if (strcmp(base, "unbind") == 0) {
		driver = driver_of(text);
		if (driver == NULL || strstr(path, driver) == NULL)
			return ENODEV;
		release(text, strdup(driver));
		return 0;
	}
	if (strcmp(base, "drivers_probe") == 0)
		return probe(text);
	if (strcmp(base, "create") == 0)
		return make_mdev(strdup(dir), text);
	if (strcmp(base, "remove") == 0)
		return remove_mdev(strdup(dir));
	if (strcmp(base, "sriov_numvfs") == 0)
		return set_vfs(strdup(dir), text);
	if (strcmp(base, "note") == 0 || strcmp(base, "sriov_drivers_autoprobe") == 0 ||
	    strcmp(base, "d3cold_allowed") == 0 || strcmp(base, "control") == 0 ||
	    strcmp(base, "current_vgpu_type") == 0) {
		write_text(path, text);
		note(format("%s %s", base, text));
		return 0;
	}
	if (strcmp(base, "vport_create") == 0)
		return make_vport(strdup(dir), text);
	if (strcmp(base, "vport_delete") == 0)
		return delete_vport(strdup(dir), text);
	if (strcmp(base, "reset") == 0) {
		note(format("reset %s", path));
		return 0;
	}
	return EACCES;
}

/* Of a file: the device whose lock is taken for it; what is written to the bus's files names it. */
static const char *locks(const char *path, const char *text)
{
	const char *base = base_of(path);

	if (strcmp(base, "unbind") == 0 || strcmp(base, "drivers_probe") == 0)
		return text;
	if (strcmp(base, "driver_override") != 0 && strcmp(base, "reset") != 0)
		return NULL;
	return base_of(format("%.*s", (int)(base - path - 1), path));
}

static int is_locked(const char *device)
{
	for (int i = 0; i < n_pending; i++)
		if (device != NULL && strcmp(pending[i].name, device) == 0)
			return 1;
	return 0;
}

static struct pending *keep(const struct fuse_in_header *in, const char *name)
{
	struct pending *p;

	if (n_pending == PENDING_MAX)
		die("too many requests wait");
	p = &pending[n_pending++];
	*p = (struct pending){ .in = *in };
	snprintf(p->name, sizeof(p->name), "%.60s", name);
	return p;
}

static void do_read(const struct fuse_in_header *in, const struct fuse_read_in *r)
{
	const char *device = locks(nodes[in->nodeid], "");

	if (is_locked(device))
		keep(in, device)->read = *r;
	else
		read_file(in, r);
}

static void do_write(const struct fuse_in_header *in, const struct fuse_write_in *w, const char *data)
{
	struct fuse_write_out out = { .size = w->size };
	const char *path = nodes[in->nodeid], *base = base_of(path), *hang = base, *device;
	char text[256], number[16] = "";
	struct pending *p;
	int error;

	snprintf(text, sizeof(text), "%.*s", w->size < 200 ? (int)w->size : 200, data);
	text[strcspn(text, "\n")] = 0;
	device = locks(path, text);
	if (strcmp(base, "unbind") == 0 || is_locked(device))
		hang = device;
	if (there(format("ctl/fail-%s", base))) {
		read_text(format("ctl/fail-%s", base), number, sizeof(number));
		error = number[0] != 0 ? atoi(number) : EIO;
	} else if (there(format("ctl/hang-%s", hang)) || is_locked(device)) {
		p = keep(in, hang);
		p->size = w->size;
		snprintf(p->text, sizeof(p->text), "%s", text);
		note(format("hangs %s", text));
		return;
	} else {
		error = apply(path, base, text);
	}
	reply(in->unique, error, &out, sizeof(out));
}

/* Those that hang go on when they may, in their order. */
static void wake(void)
{
	for (int i = 0; i < n_pending; i++) {
		struct pending p = pending[i];
		struct fuse_write_out out = { .size = p.size };
		const char *path = nodes[p.in.nodeid];

		if (there(format("ctl/hang-%s", p.name)))
			continue;
		memmove(&pending[i], &pending[i + 1], sizeof(p) * (size_t)(n_pending - i - 1));
		n_pending--;
		i--;
		if (p.read.size > 0)
			read_file(&p.in, &p.read);
		else
			reply(p.in.unique, apply(path, base_of(path), p.text), &out, sizeof(out));
	}
}

static void answer(char *buf)
{
	const struct fuse_in_header *in = (const struct fuse_in_header *)(const void *)buf;
	const void *arg = buf + sizeof(*in);
	struct fuse_open_out opened = { .open_flags = FOPEN_DIRECT_IO };
	struct fuse_init_out init = { .major = 7, .minor = 31, .max_write = 4096, .max_background = 8,
				      .congestion_threshold = 8, .max_readahead = 4096 };
	struct fuse_statfs_out fs = { 0 };

	if (in->nodeid >= n_nodes) {
		reply(in->unique, ESTALE, NULL, 0);
		return;
	}
	switch (in->opcode) {
	case FUSE_INIT:
		reply(in->unique, 0, &init, sizeof(init));
		break;
	case FUSE_LOOKUP:
		lookup(in, arg);
		break;
	case FUSE_GETATTR:
	case FUSE_SETATTR:
		getattr(in);
		break;
	case FUSE_READLINK:
		read_link(in);
		break;
	case FUSE_OPEN:
		reply(in->unique, there(nodes[in->nodeid]) ? 0 : ENOENT, &opened, sizeof(opened));
		break;
	case FUSE_OPENDIR:
		opened.open_flags = 0;
		reply(in->unique, 0, &opened, sizeof(opened));
		break;
	case FUSE_READ:
		do_read(in, arg);
		break;
	case FUSE_READDIR:
		read_dir(in, arg);
		break;
	case FUSE_WRITE:
		do_write(in, arg, (const char *)arg + sizeof(struct fuse_write_in));
		break;
	case FUSE_STATFS:
		reply(in->unique, 0, &fs, sizeof(fs));
		break;
	case FUSE_RELEASE:
	case FUSE_RELEASEDIR:
	case FUSE_FLUSH:
	case FUSE_ACCESS:
		reply(in->unique, 0, NULL, 0);
		break;
	case FUSE_FORGET:
		forget(in->nodeid);
		break;
	case FUSE_BATCH_FORGET:
		forget_all(arg);
		break;
	case FUSE_INTERRUPT: /* the kernel does not come back for a signal */
		break;
	default:
		reply(in->unique, ENOSYS, NULL, 0);
	}
}

static void serve(void)
{
	static char buf[BUFFER];
	struct pollfd p = { .events = POLLIN };

	for (;;) {
		ssize_t n;

		p.fd = dev;
		if (poll(&p, 1, n_pending > 0 ? 20 : -1) == 0) {
			wake();
			continue;
		}
		n = read(dev, buf, sizeof(buf));
		if (n < 0 && (errno == EINTR || errno == EAGAIN || errno == ENOENT))
			continue;
		if (n < (ssize_t)sizeof(struct fuse_in_header))
			exit(0); /* unmounted */
		answer(buf);
		wake();
	}
}

int main(int argc, char **argv)
{
	char options[128];

	if (argc != 3) {
		fprintf(stderr, "Usage: fake-kernel TREE MOUNTPOINT\n");
		return 2;
	}
	nodes[1] = strdup(".");
	tree = open(argv[1], O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (tree < 0)
		die(argv[1]);
	if (mkdirat(tree, "ctl", 0755) < 0 && errno != EEXIST)
		die("ctl");
	close(openat(tree, "ctl/log", O_WRONLY | O_CREAT, 0644));
	dev = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	if (dev < 0)
		die("/dev/fuse");
	snprintf(options, sizeof(options), "fd=%d,rootmode=40000,user_id=%u,group_id=%u,allow_other", dev,
		 (unsigned)getuid(), (unsigned)getgid());
	if (mount("fake-kernel", argv[2], "fuse", MS_NOSUID | MS_NODEV, options) < 0)
		die(argv[2]);
	if (fork() != 0)
		return 0;
	setsid();
	serve();
}
