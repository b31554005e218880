/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Makes the root of a machine that is not there: its /sys, /proc and /dev as far as host devices go.
 *
 *   fake-sysfs DIR <DESCRIPTION
 *
 * A line a thing; "+" in values is a blank:
 *   driver NAME [VENDOR:DEVICE...]
 *   pci ADDRESS VENDOR:DEVICE CLASS [driver=] [group=] [numa=] [on=PARENT] [pf=] [header=] [caps=flr,aflr,pm,pmkeep,
 *       msi,msix,acs,pcie] [type=PCIETYPE] [resets=flr,bus] [vga=1] [totalvfs=] [vfio=vfio0] [vgpu=TYPE] [d3cold=1] [control=auto]
 *   usb PORT VENDOR:PRODUCT NUMBER [class=] [driver=] [serial=] [maker=] [model=] [on=]
 *   scsi H:B:T:L [sg=] [block=NAME,M:m] [vendor=] [model=] [driver=] [type=] [on=]
 *   parent NAME PLACE [subsystem=] [driver=]     what makes mediated devices, below sys/devices
 *   mdevtype TYPE api= [name=] [left=3] on=
 *   mdev UUID type= api= [name=] [group=] on=
 *   fchost HOST wwpn= wwnn= on= [npiv=MAX]
 *   net NAME on= [master=]        block NAME M:m on= [holder=]
 *   mount M:m PATH                route NAME
 *   file PATH TEXT                dir PATH
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char devices[256][2][512]; /* name, directory below the root */
static unsigned n_devices;
static const char *line_now = "";

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "fake-sysfs: %s: %s: %s\n", line_now, what, strerror(errno));
	exit(1);
}

static void make_dirs(const char *path)
{
	char copy[1024];

	snprintf(copy, sizeof(copy), "%s", path);
	for (char *p = copy; *p != 0; p++) {
		if (*p != '/')
			continue;
		*p = 0;
		if (*copy != 0 && mkdir(copy, 0755) < 0 && errno != EEXIST)
			die(copy);
		*p = '/';
	}
	if (mkdir(copy, 0755) < 0 && errno != EEXIST)
		die(copy);
}

static void make_parent(const char *path)
{
	char copy[1024];

	snprintf(copy, sizeof(copy), "%s", path);
	if (strrchr(copy, '/') != NULL) {
		*strrchr(copy, '/') = 0;
		make_dirs(copy);
	}
}

static void put(const char *path, const void *data, size_t len, int flags)
{
	int fd;

	make_parent(path);
	fd = open(path, O_WRONLY | O_CREAT | flags, 0644);
	if (fd < 0 || write(fd, data, len) != (ssize_t)len)
		die(path);
	close(fd);
}

__attribute__((format(printf, 3, 4))) static void text(const char *dir, const char *name,
						       const char *fmt, ...)
{
	char path[1024], buf[1024];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(buf, sizeof(buf) - 1, fmt, ap);
	va_end(ap);
	buf[n++] = '\n';
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	put(path, buf, (size_t)n, O_TRUNC);
}

/* A relative link as sysfs has them; target is below the root. */
static void link_to(const char *target, const char *dir, const char *name)
{
	char path[1024], rel[2048] = "";

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	make_parent(path);
	for (const char *p = path; *p != 0; p++)
		if (*p == '/')
			strcat(rel, "../");
	strncat(rel, target, sizeof(rel) - strlen(rel) - 1);
	unlink(path);
	if (symlink(rel, path) < 0)
		die(path);
}

/* Of a PCI device that an earlier run made. */
static const char *place_before(const char *name)
{
	static char target[512];
	char link[128];
	ssize_t n;

	snprintf(link, sizeof(link), "sys/bus/pci/devices/%s", name);
	n = readlink(link, target, sizeof(target) - 1);
	if (n <= 0)
		return "sys/devices/virtual";
	target[n] = 0;
	return strstr(target, "sys/devices/");
}

static const char *place_of(const char *name)
{
	for (unsigned i = 0; name != NULL && i < n_devices; i++)
		if (strcmp(devices[i][0], name) == 0)
			return devices[i][1];
	return name != NULL ? place_before(name) : "sys/devices/virtual";
}

static const char *remember(const char *name, const char *dir)
{
	snprintf(devices[n_devices][0], sizeof(devices[0][0]), "%s", name);
	snprintf(devices[n_devices][1], sizeof(devices[0][1]), "%s", dir);
	return devices[n_devices++][1];
}

/* Value of KEY= among the words, NULL if it is not there. */
static const char *get(char **w, const char *key)
{
	size_t len = strlen(key);

	for (; *w != NULL; w++)
		if (strncmp(*w, key, len) == 0 && (*w)[len] == '=')
			return *w + len + 1;
	return NULL;
}

static int has(const char *list, const char *word)
{
	size_t len = strlen(word);

	for (const char *p = list; p != NULL && *p != 0; p = strchr(p, ',') ? strchr(p, ',') + 1 : "")
		if (strncmp(p, word, len) == 0 && (p[len] == ',' || p[len] == 0))
			return 1;
	return 0;
}

static void bound(const char *bus, const char *dir, const char *name, const char *driver)
{
	char path[512];

	if (driver == NULL)
		return;
	snprintf(path, sizeof(path), "sys/bus/%s/drivers/%s/unbind", bus, driver);
	put(path, "", 0, 0);
	*strrchr(path, '/') = 0;
	link_to(path, dir, "driver");
	link_to(dir, path, name);
}

static void in_group(const char *dir, const char *name, const char *group)
{
	char path[512];

	if (group == NULL)
		return;
	snprintf(path, sizeof(path), "sys/kernel/iommu_groups/%s/devices", group);
	link_to(dir, path, name);
	*strrchr(path, '/') = 0;
	link_to(path, dir, "iommu_group");
}

/* A chain of capabilities of 16 bytes each. */
static size_t config_of(uint8_t c[4096], unsigned vendor, unsigned device, unsigned class, char **w)
{
	static const struct {
		const char *name;
		uint8_t id, at, value;
	} caps[] = {
		{ "pm", 0x01, 4, 0x00 },  { "pmkeep", 0x01, 4, 0x08 }, { "msi", 0x05, 4, 0x00 },
		{ "msix", 0x11, 4, 0x00 }, { "aflr", 0x13, 3, 0x03 },
	};
	const char *list = get(w, "caps"), *header = get(w, "header"), *type = get(w, "type");
	int pcie = has(list, "pcie") || has(list, "flr") || has(list, "acs") || type != NULL;
	size_t at = 0x40;
	uint8_t *next = &c[0x34];

	c[0] = (uint8_t)vendor, c[1] = (uint8_t)(vendor >> 8);
	c[2] = (uint8_t)device, c[3] = (uint8_t)(device >> 8);
	c[6] = 0x10;
	c[9] = (uint8_t)class, c[10] = (uint8_t)(class >> 8), c[11] = (uint8_t)(class >> 16);
	c[0x0e] = (uint8_t)(header != NULL ? strtoul(header, NULL, 16) : 0);
	for (size_t i = 0; i < sizeof(caps) / sizeof(caps[0]); i++) {
		if (!has(list, caps[i].name))
			continue;
		*next = (uint8_t)at;
		c[at] = caps[i].id;
		c[at + caps[i].at] = caps[i].value;
		next = &c[at + 1];
		at += 16;
	}
	if (!pcie)
		return 256;
	*next = (uint8_t)at;
	c[at] = 0x10;
	c[at + 2] = (uint8_t)(2 | (type != NULL ? strtoul(type, NULL, 10) : 0) << 4);
	if (has(list, "flr"))
		c[at + 7] = 0x10;
	if (has(list, "acs")) {
		c[0x100] = 0x0d;
		c[0x102] = 0x01;
	}
	return 4096;
}

static void add_pci(char **w)
{
	const char *on = get(w, "on"), *v;
	unsigned domain, bus, slot, function, vendor, device;
	unsigned class = (unsigned)strtoul(w[2], NULL, 16);
	uint8_t config[4096] = { 0 };
	char path[512], full[512], name[64];
	const char *dir;
	size_t len;

	if (sscanf(w[0], "%x:%x:%x.%x", &domain, &bus, &slot, &function) != 4 ||
	    sscanf(w[1], "%x:%x", &vendor, &device) != 2)
		die("address");
	if (on != NULL)
		snprintf(path, sizeof(path), "%s/%s", place_of(on), w[0]);
	else
		snprintf(path, sizeof(path), "sys/devices/pci%04x:%02x/%s", domain, bus, w[0]);
	dir = remember(w[0], path);
	make_dirs(dir);
	link_to(dir, "sys/bus/pci/devices", w[0]);
	link_to("sys/bus/pci", dir, "subsystem");
	text(dir, "vendor", "0x%04x", vendor);
	text(dir, "device", "0x%04x", device);
	text(dir, "subsystem_vendor", "0x0000");
	text(dir, "subsystem_device", "0x0000");
	text(dir, "class", "0x%06x", class);
	text(dir, "revision", "0x01");
	text(dir, "numa_node", "%s", (v = get(w, "numa")) != NULL ? v : "-1");
	text(dir, "driver_override", "%s", (v = get(w, "override")) != NULL ? v : "(null)");
	snprintf(full, sizeof(full), "%s/config", dir);
	len = config_of(config, vendor, device, class, w);
	put(full, config, len, O_TRUNC);
	if ((v = get(w, "resets")) != NULL) {
		char methods[256];

		snprintf(methods, sizeof(methods), "%s", v);
		for (char *p = methods; *p != 0; p++)
			*p = *p == ',' ? ' ' : *p;
		text(dir, "reset_method", "%s", methods);
		put((snprintf(full, sizeof(full), "%s/reset", dir), full), "", 0, 0);
	}
	if ((v = get(w, "vga")) != NULL)
		text(dir, "boot_vga", "%s", v);
	if ((v = get(w, "totalvfs")) != NULL) {
		text(dir, "sriov_totalvfs", "%s", v);
		text(dir, "sriov_numvfs", "0");
		text(dir, "sriov_drivers_autoprobe", "1");
	}
	if ((v = get(w, "d3cold")) != NULL)
		text(dir, "d3cold_allowed", "%s", v);
	if ((v = get(w, "control")) != NULL)
		text(dir, "power/control", "%s", v);
	if ((v = get(w, "vgpu")) != NULL)
		text(dir, "nvidia/current_vgpu_type", "%s", v);
	if ((v = get(w, "pf")) != NULL) {
		struct stat st;
		int n = 0;

		link_to(place_of(v), dir, "physfn");
		do
			snprintf(name, sizeof(name), "virtfn%d", n++), snprintf(full, sizeof(full), "%s/%s", place_of(v), name);
		while (lstat(full, &st) == 0);
		link_to(dir, place_of(v), name);
		text(place_of(v), "sriov_numvfs", "%d", n);
	}
	if ((v = get(w, "vfio")) != NULL) {
		snprintf(full, sizeof(full), "%s/vfio-dev/%s", dir, v);
		make_dirs(full);
		text(full, "dev", "511:0");
	}
	in_group(dir, w[0], get(w, "group"));
	bound("pci", dir, w[0], get(w, "driver"));
}

static void add_usb(char **w)
{
	const char *on = get(w, "on"), *v;
	unsigned vendor, product, number = (unsigned)atoi(w[2]);
	char path[512], name[128];
	const char *dir;

	if (sscanf(w[1], "%x:%x", &vendor, &product) != 2)
		die("id");
	snprintf(path, sizeof(path), "%s/%s", place_of(on), w[0]);
	dir = remember(w[0], path);
	make_dirs(dir);
	link_to(dir, "sys/bus/usb/devices", w[0]);
	text(dir, "idVendor", "%04x", vendor);
	text(dir, "idProduct", "%04x", product);
	text(dir, "devnum", "%u", number);
	text(dir, "dev", "189:%u", number);
	text(dir, "bDeviceClass", "%s", (v = get(w, "class")) != NULL ? v : "00");
	if ((v = get(w, "serial")) != NULL)
		text(dir, "serial", "%s", v);
	if ((v = get(w, "maker")) != NULL)
		text(dir, "manufacturer", "%s", v);
	if ((v = get(w, "model")) != NULL)
		text(dir, "product", "%s", v);
	snprintf(name, sizeof(name), "%s:1.0", w[0]);
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	make_dirs(path);
	link_to(path, "sys/bus/usb/devices", name);
	bound("usb", path, name, get(w, "driver"));
}

static void add_block(const char *name, const char *number, const char *below, const char *holder)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/block/%s", below, name);
	make_dirs(path);
	text(path, "dev", "%s", number);
	link_to(path, "sys/class/block", name);
	link_to(path, "sys/dev/block", number);
	if (holder != NULL) {
		char holders[600];

		snprintf(holders, sizeof(holders), "%s/holders/%s", path, holder);
		make_dirs(holders);
	}
}

static void add_scsi(char **w)
{
	const char *v = get(w, "block");
	char path[512], more[600];
	const char *dir;

	snprintf(path, sizeof(path), "%s/host0/target0/%s", place_of(get(w, "on")), w[0]);
	dir = remember(w[0], path);
	make_dirs(dir);
	link_to(dir, "sys/bus/scsi/devices", w[0]);
	if (v != NULL) {
		char block[128];

		snprintf(block, sizeof(block), "%s", v);
		*strchr(block, ',') = 0;
		add_block(block, strchr(v, ',') + 1, dir, NULL);
	}
	if ((v = get(w, "sg")) != NULL) {
		snprintf(more, sizeof(more), "%s/scsi_generic/%s", dir, v);
		make_dirs(more);
		text(more, "dev", "21:0");
	}
	text(dir, "vendor", "%s", (v = get(w, "vendor")) != NULL ? v : "NONE");
	text(dir, "model", "%s", (v = get(w, "model")) != NULL ? v : "NONE");
	text(dir, "type", "%s", (v = get(w, "type")) != NULL ? v : "0");
	bound("scsi", dir, w[0], get(w, "driver"));
}

/* subsystem=bus/css */
static void add_parent(char **w)
{
	const char *subsystem = get(w, "subsystem"), *driver = get(w, "driver");
	char path[512], target[512];
	const char *dir;

	snprintf(path, sizeof(path), "sys/devices/%s", w[1]);
	dir = remember(w[0], path);
	make_dirs(dir);
	if (subsystem != NULL) {
		snprintf(target, sizeof(target), "sys/%s", subsystem);
		make_dirs(target);
		link_to(target, dir, "subsystem");
	}
	if (driver != NULL)
		bound(strchr(subsystem, '/') + 1, dir, w[0], driver);
}

static const char *add_mdevtype(const char *name, char **w)
{
	static char type[600];
	const char *on = get(w, "on"), *v;

	snprintf(type, sizeof(type), "%s/mdev_supported_types/%s", place_of(on), name);
	make_dirs(type);
	text(type, "device_api", "%s", get(w, "api"));
	if ((v = get(w, "name")) != NULL)
		text(type, "name", "%s", v);
	text(type, "available_instances", "%s", (v = get(w, "left")) != NULL ? v : "3");
	text(type, "create", "%s", "");
	link_to(place_of(on), "sys/class/mdev_bus", on);
	return type;
}

static void add_mdev(char **w)
{
	const char *type = add_mdevtype(get(w, "type"), w);
	char path[512];
	const char *dir;

	snprintf(path, sizeof(path), "%s/%s", place_of(get(w, "on")), w[0]);
	dir = remember(w[0], path);
	make_dirs(dir);
	link_to(dir, "sys/bus/mdev/devices", w[0]);
	link_to(type, dir, "mdev_type");
	text(dir, "remove", "%s", "");
	in_group(dir, w[0], get(w, "group"));
	bound("mdev", dir, w[0], "vfio_mdev");
}

static void add_fchost(char **w)
{
	const char *most = get(w, "npiv");
	char path[512];

	snprintf(path, sizeof(path), "%s/%s/fc_host/%s", place_of(get(w, "on")), w[0], w[0]);
	make_dirs(path);
	link_to(path, "sys/class/fc_host", w[0]);
	text(path, "port_name", "0x%s", get(w, "wwpn"));
	text(path, "node_name", "0x%s", get(w, "wwnn"));
	if (most == NULL)
		return;
	text(path, "max_npiv_vports", "%s", most);
	text(path, "npiv_vports_inuse", "0");
	text(path, "vport_create", "%s", "");
	text(path, "vport_delete", "%s", "");
}

static void add_net(char **w)
{
	char path[512], master[128];

	snprintf(path, sizeof(path), "%s/net/%s", place_of(get(w, "on")), w[0]);
	make_dirs(path);
	link_to(path, "sys/class/net", w[0]);
	if (get(w, "master") != NULL) {
		snprintf(master, sizeof(master), "sys/devices/virtual/net/%s", get(w, "master"));
		link_to(master, path, "master");
	}
}

static void append(const char *path, const char *line)
{
	put(path, line, strlen(line), O_APPEND);
}

static void add_line(char **w)
{
	char line[1024];
	const char *kind = *w++;

	if (strcmp(kind, "pci") == 0) {
		add_pci(w);
	} else if (strcmp(kind, "usb") == 0) {
		add_usb(w);
	} else if (strcmp(kind, "scsi") == 0) {
		add_scsi(w);
	} else if (strcmp(kind, "parent") == 0) {
		add_parent(w);
	} else if (strcmp(kind, "mdevtype") == 0) {
		add_mdevtype(w[0], w);
	} else if (strcmp(kind, "mdev") == 0) {
		add_mdev(w);
	} else if (strcmp(kind, "fchost") == 0) {
		add_fchost(w);
	} else if (strcmp(kind, "net") == 0) {
		add_net(w);
	} else if (strcmp(kind, "block") == 0) {
		add_block(w[0], w[1], place_of(get(w, "on")), get(w, "holder"));
	} else if (strcmp(kind, "driver") == 0) {
		snprintf(line, sizeof(line), "sys/bus/pci/drivers/%s/unbind", w[0]);
		put(line, "", 0, 0);
		for (char **id = w + 1; *id != NULL; id++) {
			snprintf(line, sizeof(line), "%s %s\n", *id, w[0]);
			append("drivers", line);
		}
	} else if (strcmp(kind, "mount") == 0) {
		snprintf(line, sizeof(line), "20 1 %s / %s rw - ext4 /dev/root rw\n", w[0], w[1]);
		append("proc/self/mountinfo", line);
	} else if (strcmp(kind, "route") == 0) {
		snprintf(line, sizeof(line), "%s\t00000000\t0102000A\t0003\t0\t0\t0\t00000000\t0\t0\t0\n", w[0]);
		if (access("proc/net/route", F_OK) < 0)
			append("proc/net/route", "Iface\tDestination\tGateway \tFlags\n");
		append("proc/net/route", line);
	} else if (strcmp(kind, "file") == 0) {
		snprintf(line, sizeof(line), "%s\n", w[1] != NULL ? w[1] : "");
		put(w[0], line, strlen(line), O_TRUNC);
	} else if (strcmp(kind, "dir") == 0) {
		make_dirs(w[0]);
	} else {
		errno = EINVAL;
		die("kind");
	}
}

int main(int argc, char **argv)
{
	char line[1024], kept[1024], *words[32], *save;
	int n;

	if (argc != 2) {
		fprintf(stderr, "Usage: fake-sysfs DIR <DESCRIPTION\n");
		return 2;
	}
	make_dirs(argv[1]);
	if (chdir(argv[1]) < 0)
		die(argv[1]);
	make_dirs("sys/bus/pci/devices");
	make_dirs("sys/bus/pci/drivers");
	put("sys/bus/pci/drivers_probe", "", 0, 0);
	while (fgets(line, sizeof(line), stdin) != NULL) {
		line[strcspn(line, "\n#")] = 0;
		snprintf(kept, sizeof(kept), "%s", line);
		line_now = kept;
		n = 0;
		for (char *p = strtok_r(line, " \t", &save); p != NULL && n < 30; p = strtok_r(NULL, " \t", &save))
			words[n++] = p;
		if (n == 0)
			continue;
		words[n] = words[n + 1] = NULL;
		for (int i = 1; i < n; i++)
			for (char *p = words[i]; *p != 0; p++)
				*p = *p == '+' ? ' ' : *p;
		add_line(words);
	}
	return 0;
}
