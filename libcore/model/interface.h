/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
#include "device.h"

enum vm_interface_kind {
	VM_INTERFACE_NONE,
	VM_INTERFACE_USER,
	VM_INTERFACE_ETHERNET,
	VM_INTERFACE_BRIDGE,
	VM_INTERFACE_NETWORK,
	VM_INTERFACE_DIRECT,
	VM_INTERFACE_INTERNAL,
	VM_INTERFACE_HOSTDEV,
	VM_INTERFACE_VHOSTUSER,
	VM_INTERFACE_SERVER,
	VM_INTERFACE_CLIENT,
	VM_INTERFACE_MCAST,
	VM_INTERFACE_UDP,
	VM_INTERFACE_VDPA,
	VM_INTERFACE_NULL,
	VM_INTERFACE_VDS,
	VM_INTERFACE_KINDS
};
enum vm_net_model {
	VM_NET_ABSENT,
	VM_NET_VIRTIO,
	VM_NET_VIRTIO_TRANSITIONAL,
	VM_NET_VIRTIO_NON_TRANSITIONAL,
	VM_NET_E1000,
	VM_NET_E1000E,
	VM_NET_IGB,
	VM_NET_RTL8139,
	VM_NET_NE2K_PCI,
	VM_NET_PCNET,
	VM_NET_I82551,
	VM_NET_I82557B,
	VM_NET_I82559ER,
	VM_NET_VMXNET3,
	VM_NET_TULIP,
	VM_NET_USB_NET
};
enum vm_net_driver { VM_NET_DRIVER_ABSENT, VM_NET_DRIVER_QEMU, VM_NET_DRIVER_VHOST, VM_NET_DRIVER_VFIO };
enum vm_net_txmode { VM_TXMODE_ABSENT, VM_TXMODE_IOTHREAD, VM_TXMODE_TIMER };
enum vm_link { VM_LINK_ABSENT, VM_LINK_UP, VM_LINK_DOWN };
extern const char *const vm_interface_kind_words[],
    *const vm_net_driver_words[], *const vm_net_txmode_words[], *const vm_link_words[];
extern const char *const vm_net_model_words[]; /* those we know; model itself is kept as text */

struct vm_interface_source {
	struct mt_obj obj;
	char *bridge, *network, *portgroup, *dev;
	int mode; /* direct */
};
struct vm_interface_ip { /* <ip> of a user network */
	struct mt_obj obj;
	int family; /* 1 ipv4, 2 ipv6; absent = ipv4 */
	char *address;
	uint64_t prefix; /* bit 2 tells */
};
enum vm_forward_proto { VM_FORWARD_NONE, VM_FORWARD_TCP, VM_FORWARD_UDP };
struct vm_forward_range {
	struct mt_obj obj;
	uint64_t start, end, to; /* end, to: 0 = absent */
	int exclude;		 /* yes/no */
};
struct vm_forward { /* <portForward>: the host's ports that lead to the guest's */
	struct mt_obj obj;
	int proto;
	char *address, *dev; /* of the host; NULL = all */
	struct mt_list ranges; /* struct vm_forward_range; none = all ports */
};
struct vm_vlan_tag {
	struct mt_obj obj;
	uint64_t id;
	int native; /* 1 tagged, 2 untagged */
};
struct vm_hostdev_source;
struct vm_offload { /* all enum vm_switch */
	int csum, gso, tso4, tso6, ecn, ufo, mrg_rxbuf;
};
struct vm_teaming;

struct vm_interface {
	struct vm_device dev;
	int kind;		      /* @type */
	uint8_t mac[6];		      /* bit VM_INTERFACE_BIT_MAC */
	int mac_generated, mac_check; /* yes/no: mac/@type generated=1 static=2; mac/@check */
	union {
		struct vm_interface_source *source;
		struct vm_hostdev_source *pci; /* type='hostdev': a virtual function of the host */
	};
	int managed; /* type='hostdev': yes/no */
	int vlan_trunk;		 /* yes/no */
	struct mt_list vlans; /* struct vm_vlan_tag */
	char *target; /* target/@dev: name of the tap */
	int target_managed;
	int model; /* enum vm_net_model */
	/* driver */
	int driver, txmode, ioeventfd, event_idx, rss, rss_hash_report;
	uint64_t queues, rx_queue_size, tx_queue_size; /* 0 = absent */
	struct vm_virtio_options virtio;
	struct vm_offload host, guest;
	char *backend_type, *tap, *vhost; /* backend/@type @tap @vhost */
	char *log_file;			  /* of passt */
	char *script, *downscript;
	uint64_t mtu, sndbuf, rx_frames; /* bytes; 0 = absent; sndbuf: bit tells */
	int link, isolated;
	struct vm_teaming *teaming; /* NULL = none */
	struct mt_list ips; /* struct vm_interface_ip */
	struct mt_list forwards; /* struct vm_forward */
};
enum vm_interface_bit {
	VM_INTERFACE_BIT_KIND,
	VM_INTERFACE_BIT_MAC,
	VM_INTERFACE_BIT_MAC_GENERATED,
	VM_INTERFACE_BIT_MAC_CHECK,
	VM_INTERFACE_BIT_SOURCE,
	VM_INTERFACE_BIT_TARGET,
	VM_INTERFACE_BIT_TARGET_MANAGED,
	VM_INTERFACE_BIT_MODEL,
	VM_INTERFACE_BIT_DRIVER,
	VM_INTERFACE_BIT_TXMODE,
	VM_INTERFACE_BIT_IOEVENTFD,
	VM_INTERFACE_BIT_EVENT_IDX,
	VM_INTERFACE_BIT_RSS,
	VM_INTERFACE_BIT_RSS_HASH_REPORT,
	VM_INTERFACE_BIT_QUEUES,
	VM_INTERFACE_BIT_RX_QUEUE_SIZE,
	VM_INTERFACE_BIT_TX_QUEUE_SIZE,
	VM_INTERFACE_BIT_HOST_CSUM,
	VM_INTERFACE_BIT_HOST_GSO,
	VM_INTERFACE_BIT_HOST_TSO4,
	VM_INTERFACE_BIT_HOST_TSO6,
	VM_INTERFACE_BIT_HOST_ECN,
	VM_INTERFACE_BIT_HOST_UFO,
	VM_INTERFACE_BIT_HOST_MRG_RXBUF,
	VM_INTERFACE_BIT_GUEST_CSUM,
	VM_INTERFACE_BIT_GUEST_TSO4,
	VM_INTERFACE_BIT_GUEST_TSO6,
	VM_INTERFACE_BIT_GUEST_ECN,
	VM_INTERFACE_BIT_GUEST_UFO,
	VM_INTERFACE_BIT_BACKEND_TYPE,
	VM_INTERFACE_BIT_TAP,
	VM_INTERFACE_BIT_VHOST,
	VM_INTERFACE_BIT_SCRIPT,
	VM_INTERFACE_BIT_DOWNSCRIPT,
	VM_INTERFACE_BIT_MTU,
	VM_INTERFACE_BIT_SNDBUF,
	VM_INTERFACE_BIT_RX_FRAMES,
	VM_INTERFACE_BIT_LINK,
	VM_INTERFACE_BIT_ISOLATED,
	VM_INTERFACE_BIT_TEAMING,
	VM_INTERFACE_BIT_IPS,
	VM_INTERFACE_BIT_LOG_FILE,
	VM_INTERFACE_BIT_FORWARDS,
	VM_INTERFACE_BIT_MANAGED,
	VM_INTERFACE_BIT_VLAN_TRUNK,
	VM_INTERFACE_BIT_VLANS,
};
struct vm_domain;
/* Gives an interface without MAC one that no other of d (NULL: not looked at) has; marks it as assigned. */
int vm_interface_fill(struct vm_interface *f, const struct vm_domain *d, struct vm_err *err);
/* Is its network the program passt, beside QEMU? */
bool vm_interface_is_passt(const struct vm_interface *f);
extern const struct mt_type vm_interface_type;
