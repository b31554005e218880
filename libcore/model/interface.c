// SPDX-License-Identifier: LGPL-2.1-or-later
#include "interface.h"

#include <string.h>

#include "hostdev.h"
#include "rows.h"

const char *const vm_interface_kind_words[] = {
    "",		 "user",     "ethernet",   "bridge",  "!network", "!direct",
    "!internal", "hostdev", "!vhostuser", "!server", "!client",  "!mcast",
    "!udp",	 "!vdpa",    "!null",	   "!vds",    NULL,
};
const char *const vm_net_model_words[] = {
    "",
    "virtio",
    "virtio-transitional",
    "virtio-non-transitional",
    "e1000",
    "e1000e",
    "igb",
    "rtl8139",
    "ne2k_pci",
    "pcnet",
    "i82551",
    "i82557b",
    "i82559er",
    "vmxnet3",
    "tulip",
    "usb-net",
    NULL,
};
const char *const vm_net_driver_words[] = {"", "qemu", "vhost", "vfio", NULL};
const char *const vm_net_txmode_words[] = {"", "iothread", "timer", NULL};
const char *const vm_link_words[] = {"", "up", "down", NULL};
static const char *const mac_type_words[] = {"", "generated", "static", NULL};
static const char *const family_words[] = {"", "ipv4", "ipv6", NULL};

enum { SOURCE_BRIDGE, SOURCE_DEV };
static const struct mt_row bridge_rows[] = {
    MT_ROW(struct vm_interface_source, "@bridge", bridge, SOURCE_BRIDGE, MT_STR,
	   .flags = MT_REQUIRED),
};
static const struct mt_type bridge_source = {
    .elem = "source",
    .size = sizeof(struct vm_interface_source),
    .rows = bridge_rows,
    .n = VM_COUNT(bridge_rows),
};
static const struct mt_row user_rows[] = {
    MT_ROW(struct vm_interface_source, "@dev", dev, SOURCE_DEV, MT_STR, .flags = MT_REQUIRED),
};
static const struct mt_type user_source = {
    .elem = "source",
    .size = sizeof(struct vm_interface_source),
    .rows = user_rows,
    .n = VM_COUNT(user_rows),
};
static const struct mt_type *const source_by_kind[] = {
    [VM_INTERFACE_USER] = &user_source,
    [VM_INTERFACE_BRIDGE] = &bridge_source,
    [VM_INTERFACE_HOSTDEV] = &vm_hostdev_pci_source_type,
};
static const struct mt_cases source_cases = {
    .tag = "type",
    .tag_off = offsetof(struct vm_interface, kind),
    .n = VM_COUNT(source_by_kind),
    .by = source_by_kind,
};

enum { VLAN_ID, VLAN_NATIVE };
static const char *const native_words[] = {"", "tagged", "untagged", NULL};
static const struct mt_range vlan_range = {.max = 4095};
static const struct mt_row vlan_rows[] = {
    MT_ROW(struct vm_vlan_tag, "@id", id, VLAN_ID, MT_U64, .flags = MT_REQUIRED | MT_KEY,
	   .arg = &vlan_range),
    MT_ROW(struct vm_vlan_tag, "@nativeMode", native, VLAN_NATIVE, MT_ENUM, .arg = native_words),
};
static const struct mt_type vlan_type = {
    .elem = "tag",
    .size = sizeof(struct vm_vlan_tag),
    .rows = vlan_rows,
    .n = VM_COUNT(vlan_rows),
};

enum { IP_FAMILY, IP_ADDRESS, IP_PREFIX };
static const struct mt_range prefix_range = {.max = 128};
static const struct mt_row ip_rows[] = {
    MT_ROW(struct vm_interface_ip, "@family", family, IP_FAMILY, MT_ENUM, .flags = MT_KEY,
	   .arg = family_words),
    MT_ROW(struct vm_interface_ip, "@address", address, IP_ADDRESS, MT_STR, .flags = MT_REQUIRED),
    MT_ROW(struct vm_interface_ip, "@prefix", prefix, IP_PREFIX, MT_U64, .arg = &prefix_range),
};

static int check_ip(const void *obj, const struct mt_ctx *ctx, struct vm_err *err)
{
	const struct vm_interface_ip *ip = obj;
	bool six = ip->family == 2;

	if (strspn(ip->address, six ? "0123456789abcdefABCDEF:." : "0123456789.") !=
		strlen(ip->address) ||
	    !strchr(ip->address, six ? ':' : '.'))
		return mt_error(ctx, obj, "@address", VM_BAD_INPUT, err, "'%s' is no %s address",
				ip->address, six ? "IPv6" : "IPv4");
	if (!six && ip->prefix > 32)
		return mt_error(ctx, obj, "@prefix", VM_BAD_INPUT, err,
				"an IPv4 prefix is at most 32");
	return 0;
}
static const struct mt_type ip_type = {
    .elem = "ip",
    .size = sizeof(struct vm_interface_ip),
    .rows = ip_rows,
    .n = VM_COUNT(ip_rows),
    .check = check_ip,
};

enum { RANGE_START, RANGE_END, RANGE_TO, RANGE_EXCLUDE };
static const struct mt_range port_range = {.min = 1, .max = 65535};
static const struct mt_row forward_range_rows[] = {
    MT_ROW(struct vm_forward_range, "@start", start, RANGE_START, MT_U64, .flags = MT_REQUIRED,
	   .arg = &port_range),
    MT_ROW(struct vm_forward_range, "@end", end, RANGE_END, MT_U64, .arg = &port_range),
    MT_ROW(struct vm_forward_range, "@to", to, RANGE_TO, MT_U64, .arg = &port_range),
    MT_ROW(struct vm_forward_range, "@exclude", exclude, RANGE_EXCLUDE, MT_ENUM,
	   .arg = vm_yes_no_words),
};

static int check_range(const void *obj, const struct mt_ctx *ctx, struct vm_err *err)
{
	const struct vm_forward_range *r = obj;
	uint64_t more = r->end > r->start ? r->end - r->start : 0;

	if (r->end != 0 && r->end < r->start)
		return mt_error(ctx, obj, "@end", VM_BAD_INPUT, err, "the range ends before it starts");
	if (r->to != 0 && r->exclude == VM_SWITCH_ON)
		return mt_error(ctx, obj, "@to", VM_BAD_INPUT, err, "excluded ports lead nowhere");
	if (r->to + more > port_range.max)
		return mt_error(ctx, obj, "@to", VM_BAD_INPUT, err, "a port is at most 65535");
	return 0;
}
static const struct mt_type forward_range_type = {
    .elem = "range",
    .size = sizeof(struct vm_forward_range),
    .rows = forward_range_rows,
    .n = VM_COUNT(forward_range_rows),
    .check = check_range,
};

enum { FORWARD_PROTO, FORWARD_ADDRESS, FORWARD_DEV, FORWARD_RANGES };
static const char *const proto_words[] = {"", "tcp", "udp", NULL};
static const struct mt_row forward_rows[] = {
    MT_ROW(struct vm_forward, "@proto", proto, FORWARD_PROTO, MT_ENUM, .flags = MT_REQUIRED,
	   .arg = proto_words),
    MT_ROW(struct vm_forward, "@address", address, FORWARD_ADDRESS, MT_STR),
    MT_ROW(struct vm_forward, "@dev", dev, FORWARD_DEV, MT_STR),
    MT_ROW(struct vm_forward, "range", ranges, FORWARD_RANGES, MT_MANY, .arg = &forward_range_type),
};

static int check_forward(const void *obj, const struct mt_ctx *ctx, struct vm_err *err)
{
	const struct vm_forward *f = obj;

	if (f->address && strspn(f->address, "0123456789abcdefABCDEF:.") != strlen(f->address))
		return mt_error(ctx, obj, "@address", VM_BAD_INPUT, err, "'%s' is no address",
				f->address);
	if (f->dev && !vm_text_only(f->dev, "-_.:"))
		return mt_error(ctx, obj, "@dev", VM_BAD_INPUT, err, "'%s' is no name of an interface",
				f->dev);
	return 0;
}
static const struct mt_type forward_type = {
    .elem = "portForward",
    .size = sizeof(struct vm_forward),
    .rows = forward_rows,
    .n = VM_COUNT(forward_rows),
    .check = check_forward,
};

#define I(xml, member, bit, kind, ...)                                                             \
	MT_ROW(struct vm_interface, xml, member, VM_INTERFACE_BIT_##bit, kind, __VA_ARGS__)
#define I_WORD(xml, member, bit, list) I(xml, member, bit, MT_ENUM, .arg = list)
#define I_SWITCH(xml, member, bit)     I_WORD(xml, member, bit, vm_on_off_words)
static const struct mt_range queue_range = {.min = 1, .max = 65536};
static const struct mt_row interface_rows[] = {
    I("@type", kind, KIND, MT_ENUM, .flags = MT_REQUIRED, .arg = vm_interface_kind_words),
    I("mac/@address", mac, MAC, MT_MAC, .flags = MT_KEY | MT_ASSIGNED),
    I_WORD("mac/@type", mac_generated, MAC_GENERATED, mac_type_words),
    I_WORD("mac/@check", mac_check, MAC_CHECK, vm_yes_no_words),
    I("source", source, SOURCE, MT_CASE, .arg = &source_cases),
    I_WORD("@managed", managed, MANAGED, vm_yes_no_words),
    I_WORD("vlan/@trunk", vlan_trunk, VLAN_TRUNK, vm_yes_no_words),
    I("vlan/tag", vlans, VLANS, MT_MANY, .arg = &vlan_type),
    I("ip", ips, IPS, MT_MANY, .arg = &ip_type),
    I("portForward", forwards, FORWARDS, MT_MANY, .arg = &forward_type),
    I("script/@path", script, SCRIPT, MT_STR),
    I("downscript/@path", downscript, DOWNSCRIPT, MT_STR),
    I("backend/@type", backend_type, BACKEND_TYPE, MT_STR),
    I("backend/@logFile", log_file, LOG_FILE, MT_PATH),
    I("backend/@tap", tap, TAP, MT_PATH),
    I("backend/@vhost", vhost, VHOST, MT_PATH),
    I("target/@dev", target, TARGET, MT_STR),
    I_WORD("target/@managed", target_managed, TARGET_MANAGED, vm_yes_no_words),
    I("model/@type", model, MODEL, MT_ENUM, .flags = MT_ASSIGNED, .arg = vm_net_model_words),
    I_WORD("driver/@name", driver, DRIVER, vm_net_driver_words),
    I_WORD("driver/@txmode", txmode, TXMODE, vm_net_txmode_words),
    I_SWITCH("driver/@ioeventfd", ioeventfd, IOEVENTFD),
    I_SWITCH("driver/@event_idx", event_idx, EVENT_IDX),
    I("driver/@queues", queues, QUEUES, MT_U64, .arg = &queue_range),
    I("driver/@rx_queue_size", rx_queue_size, RX_QUEUE_SIZE, MT_U64, .arg = &vm_u32_range),
    I("driver/@tx_queue_size", tx_queue_size, TX_QUEUE_SIZE, MT_U64, .arg = &vm_u32_range),
    I_SWITCH("driver/@rss", rss, RSS),
    I_SWITCH("driver/@rss_hash_report", rss_hash_report, RSS_HASH_REPORT),
    VM_VIRTIO_ROWS(struct vm_interface),
    I_SWITCH("driver/host/@csum", host.csum, HOST_CSUM),
    I_SWITCH("driver/host/@gso", host.gso, HOST_GSO),
    I_SWITCH("driver/host/@tso4", host.tso4, HOST_TSO4),
    I_SWITCH("driver/host/@tso6", host.tso6, HOST_TSO6),
    I_SWITCH("driver/host/@ecn", host.ecn, HOST_ECN),
    I_SWITCH("driver/host/@ufo", host.ufo, HOST_UFO),
    I_SWITCH("driver/host/@mrg_rxbuf", host.mrg_rxbuf, HOST_MRG_RXBUF),
    I_SWITCH("driver/guest/@csum", guest.csum, GUEST_CSUM),
    I_SWITCH("driver/guest/@tso4", guest.tso4, GUEST_TSO4),
    I_SWITCH("driver/guest/@tso6", guest.tso6, GUEST_TSO6),
    I_SWITCH("driver/guest/@ecn", guest.ecn, GUEST_ECN),
    I_SWITCH("driver/guest/@ufo", guest.ufo, GUEST_UFO),
    VM_DEVICE_BOOT_ROWS(struct vm_interface),
    VM_DEVICE_ROM_ROWS(struct vm_interface),
    I_WORD("link/@state", link, LINK, vm_link_words),
    I("mtu/@size", mtu, MTU, MT_U64, .arg = &vm_positive_range),
    I("tune/sndbuf/#text", sndbuf, SNDBUF, MT_U64, .arg = &vm_u32_range),
    I("coalesce/rx/frames/@max", rx_frames, RX_FRAMES, MT_U64, .arg = &vm_u32_range),
    I("teaming", teaming, TEAMING, MT_ONE, .arg = &vm_teaming_type),
    I_WORD("port/@isolated", isolated, ISOLATED, vm_yes_no_words),
    VM_DEVICE_ROWS(struct vm_interface),
};

bool vm_interface_is_passt(const struct vm_interface *f)
{
	return f->kind == VM_INTERFACE_USER && f->backend_type && strcmp(f->backend_type, "passt") == 0;
}

static int check_backend(const struct vm_interface *f, const struct mt_ctx *ctx, struct vm_err *err)
{
	static const struct {
		uint8_t bit;
		const char *xml;
	} its[] = {
	    {VM_INTERFACE_BIT_LOG_FILE, "backend/@logFile"},
	    {VM_INTERFACE_BIT_FORWARDS, "portForward"},
	};

	if (vm_interface_is_passt(f)) {
		if (f->source && !vm_text_only(f->source->dev, "-_.:"))
			return mt_error(ctx, f->source, "@dev", VM_BAD_INPUT, err,
					"'%s' is no name of an interface", f->source->dev);
		return 0;
	}
	if (f->backend_type && strcmp(f->backend_type, "default") != 0)
		return mt_error(ctx, f, "backend/@type", VM_UNSUPPORTED, err,
				"backend '%s' of type='%s' is not supported yet", f->backend_type,
				vm_interface_kind_words[f->kind]);
	for (size_t i = 0; i < VM_COUNT(its); i++)
		if (mt_is_set(&f->dev.obj, its[i].bit))
			return mt_error(ctx, f, its[i].xml, VM_BAD_INPUT, err,
					"%s is only for <backend type='passt'/>", its[i].xml);
	if (f->kind == VM_INTERFACE_USER && f->source)
		return mt_error(ctx, f, "source", VM_BAD_INPUT, err,
				"source is only for <backend type='passt'/>");
	return 0;
}

/* QEMU has no part in its packets: there is no card and no queue of ours. */
static int check_hostdev(const struct vm_interface *f, const struct mt_ctx *ctx, struct vm_err *err)
{
	static const struct {
		uint8_t bit;
		const char *xml;
	} none[] = {
	    {VM_INTERFACE_BIT_TARGET, "target/@dev"},	   {VM_INTERFACE_BIT_MTU, "mtu"},
	    {VM_INTERFACE_BIT_QUEUES, "driver/@queues"}, {VM_INTERFACE_BIT_LINK, "link"},
	    {VM_INTERFACE_BIT_BACKEND_TYPE, "backend/@type"},
	};

	for (size_t i = 0; i < VM_COUNT(none); i++)
		if (mt_is_set(&f->dev.obj, none[i].bit))
			return mt_error(ctx, f, none[i].xml, VM_BAD_INPUT, err,
					"a host device as interface has no <%.*s>", (int)strcspn(none[i].xml, "/"),
					none[i].xml);
	if (!f->pci)
		return mt_error(ctx, f, NULL, VM_BAD_INPUT, err,
				"an interface with type='hostdev' needs <source><address type='pci' .../>");
	if (f->driver && f->driver != VM_NET_DRIVER_VFIO)
		return mt_error(ctx, f, "driver/@name", VM_BAD_INPUT, err, "the driver of a host device is vfio");
	if (f->vlan_trunk == VM_SWITCH_ON || f->vlans.n > 1 ||
	    (f->vlans.n == 1 && ((const struct vm_vlan_tag *)f->vlans.v[0])->native))
		return mt_error(ctx, f, "vlan", VM_BAD_INPUT, err,
				"a virtual function is in one VLAN: one <tag id='...'/>, no trunk");
	if (f->teaming && f->teaming->type != VM_TEAMING_TRANSIENT)
		return mt_error(ctx, f->teaming, "@type", VM_BAD_INPUT, err,
				"a host device is the transient one of a team");
	return 0;
}

static int check_kind(const struct vm_interface *f, const struct mt_ctx *ctx, struct vm_err *err)
{
	static const uint64_t user = VM_ONE(VM_INTERFACE_USER),
			      bridge = VM_ONE(VM_INTERFACE_BRIDGE),
			      ether = VM_ONE(VM_INTERFACE_ETHERNET),
			      hostdev = VM_ONE(VM_INTERFACE_HOSTDEV);
	const struct vm_only table[] = {
	    {VM_INTERFACE_BIT_IPS, "ip", user, "type='user'"},
	    {VM_INTERFACE_BIT_DOWNSCRIPT, "downscript/@path", ether, "type='ethernet'"},
	    {VM_INTERFACE_BIT_SCRIPT, "script/@path", ether | bridge,
	     "type='ethernet' and type='bridge'"},
	    {VM_INTERFACE_BIT_TARGET_MANAGED, "target/@managed", ether, "type='ethernet'"},
	    {VM_INTERFACE_BIT_MANAGED, "@managed", hostdev, "type='hostdev'"},
	    {VM_INTERFACE_BIT_ISOLATED, "port/@isolated", bridge, "type='bridge'"},
	    {VM_INTERFACE_BIT_TAP, "backend/@tap", ether | bridge, "a tap device"},
	    {VM_INTERFACE_BIT_VHOST, "backend/@vhost", ether | bridge, "a tap device"},
	    {VM_INTERFACE_BIT_SNDBUF, "tune/sndbuf", ether | bridge, "a tap device"},
	    {VM_INTERFACE_BIT_RX_FRAMES, "coalesce/rx/frames/@max", ether | bridge, "a tap device"},
	};

	if (vm_check_only(ctx, &f->dev.obj, table, VM_COUNT(table), f->kind, err) < 0)
		return -1;
	if (f->kind == VM_INTERFACE_BRIDGE && !f->source)
		return mt_error(ctx, f, NULL, VM_BAD_INPUT, err,
				"an interface with type='bridge' needs <source bridge='...'/>");
	if (f->ips.n > 2)
		return mt_error(ctx, f->ips.v[2], NULL, VM_BAD_INPUT, err,
				"at most one IPv4 and one IPv6 address");
	if (f->kind == VM_INTERFACE_HOSTDEV)
		return check_hostdev(f, ctx, err);
	if (f->vlans.n > 0 || f->vlan_trunk)
		return mt_error(ctx, f, "vlan", VM_UNSUPPORTED, err,
				"<vlan> is not supported yet, but with type='hostdev'");
	if (f->driver == VM_NET_DRIVER_VFIO)
		return mt_error(ctx, f, "driver/@name", VM_BAD_INPUT, err, "the driver vfio is for type='hostdev'");
	if (f->teaming && f->teaming->type != VM_TEAMING_PERSISTENT)
		return mt_error(ctx, f->teaming, "@type", VM_BAD_INPUT, err,
				"this interface can be the persistent one of a team");
	if (f->teaming && f->model != VM_NET_VIRTIO)
		return mt_error(ctx, f->teaming, NULL, VM_BAD_INPUT, err,
				"the persistent one of a team has <model type='virtio'/>");
	return check_backend(f, ctx, err);
}

static int check_interface(const void *obj, const struct mt_ctx *ctx, struct vm_err *err)
{
	static const uint64_t virtio = VM_ONE(VM_NET_ABSENT) | VM_ONE(VM_NET_VIRTIO) |
				       VM_ONE(VM_NET_VIRTIO_TRANSITIONAL) |
				       VM_ONE(VM_NET_VIRTIO_NON_TRANSITIONAL);
	const struct vm_only table[] = {
	    {VM_INTERFACE_BIT_TXMODE, "driver/@txmode", virtio, "virtio models"},
	    {VM_INTERFACE_BIT_IOEVENTFD, "driver/@ioeventfd", virtio, "virtio models"},
	    {VM_INTERFACE_BIT_EVENT_IDX, "driver/@event_idx", virtio, "virtio models"},
	    {VM_INTERFACE_BIT_RX_QUEUE_SIZE, "driver/@rx_queue_size", virtio, "virtio models"},
	    {VM_INTERFACE_BIT_TX_QUEUE_SIZE, "driver/@tx_queue_size", virtio, "virtio models"},
	    {VM_INTERFACE_BIT_RSS, "driver/@rss", virtio, "virtio models"},
	    {VM_INTERFACE_BIT_RSS_HASH_REPORT, "driver/@rss_hash_report", virtio, "virtio models"},
	};
	const struct vm_interface *f = obj;

	if (mt_is_set(&f->dev.obj, VM_INTERFACE_BIT_MAC) && (f->mac[0] & 1))
		return mt_error(ctx, f, "mac/@address", VM_BAD_INPUT, err,
				"%02x:%02x:%02x:%02x:%02x:%02x is a multicast address: a card's "
				"has an even first byte",
				f->mac[0], f->mac[1], f->mac[2], f->mac[3], f->mac[4], f->mac[5]);
	if (f->target && (strlen(f->target) > 15 || strpbrk(f->target, "/ \t\n") ||
			  strcmp(f->target, ".") == 0 || strcmp(f->target, "..") == 0))
		return mt_error(ctx, f, "target/@dev", VM_BAD_INPUT, err,
				"'%s' is no name for a network interface (1-15 characters)",
				f->target);
	if (f->rx_queue_size & (f->rx_queue_size - 1))
		return mt_error(ctx, f, "driver/@rx_queue_size", VM_BAD_INPUT, err,
				"rx_queue_size must be a power of two");
	if (f->tx_queue_size & (f->tx_queue_size - 1))
		return mt_error(ctx, f, "driver/@tx_queue_size", VM_BAD_INPUT, err,
				"tx_queue_size must be a power of two");
	if (check_kind(f, ctx, err) < 0 ||
	    vm_check_only(ctx, &f->dev.obj, table, VM_COUNT(table), f->model, err) < 0)
		return -1;
	if (!(virtio >> f->model & 1))
		return vm_check_no_virtio(ctx, &f->dev.obj, err);
	return 0;
}
const struct mt_type vm_interface_type = {
    .elem = "interface",
    .size = sizeof(struct vm_interface),
    .rows = interface_rows,
    .n = VM_COUNT(interface_rows),
    .check = check_interface,
};
