/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* Virtual ports (NPIV) of Fibre Channel adapters: SCSI hosts that are made on demand.  Needs libc alone.
 * Source: Linux Documentation/scsi/scsi_fc_transport.rst, drivers/scsi/scsi_transport_fc.c (vport_create, vport_delete). */
#include <stdbool.h>

#include <vm/deadline.h>

#include "sys.h"

#define VM_WWN_TEXT 17 /* 16 hexadecimal digits in lower case */
/* With or without 0x in front, in any case. */
bool vm_wwn_parse(const char *text, char ret[VM_WWN_TEXT]);

struct vm_vport {
	char host[24];	 /* "host6" */
	char parent[24]; /* "host5": the adapter's */
	char wwpn[VM_WWN_TEXT], wwnn[VM_WWN_TEXT];
};
/* By its port's name ("2101001b32a9da5e"), or by its host ("host6").  VM_NOT_FOUND: there is none, or it is no virtual one. */
int vm_vport_find(const struct vm_sys *s, const char *name, struct vm_vport *ret, struct vm_err *err);
/* Makes one; its host is there then.  VM_NOT_FOUND: no such adapter; VM_UNSUPPORTED: it has no virtual ports; VM_IN_USE: it has as many
 * as it can. */
int vm_vport_create(const struct vm_sys *s, const char *parent, const char *wwpn, const char *wwnn,
		    struct vm_deadline deadline, struct vm_err *err);
/* What an adapter is asked for by; NULL: by anything.  Names are as vm_wwn_parse() gives them. */
struct vm_vport_want {
	const char *wwnn, *wwpn, *fabric;
	const char *has; /* host that has the port already, and need not be able to make one more */
};
/* The first adapter like that which can make one more virtual port: "host5".  VM_NOT_FOUND: there is none like that; VM_UNSUPPORTED,
 * VM_IN_USE: none of those makes one. */
int vm_vport_adapter(const struct vm_sys *s, const struct vm_vport_want *want, char ret[24], struct vm_err *err);
int vm_vport_delete(const struct vm_sys *s, const struct vm_vport *v, struct vm_deadline deadline, struct vm_err *err);
