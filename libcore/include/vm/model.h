/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * A guest as data.  struct vm_domain and the objects below it are declared in model/<family>.h beside their
 * tables; this header has the operations on the whole.
 */
#include <vm/mt.h>

struct vm_domain; /* model/domain.h */
extern const struct mt_type vm_domain_type;

/* Parses, checks; the document must outlive the domain (positions). `live`: a live.xml. */
int vm_domain_parse(const struct vm_xml *doc, bool live, struct vm_domain **ret,
		    struct vm_err *err);
void vm_domain_free(struct vm_domain *d);
void vm_domain_freep(struct vm_domain **d); /* for VM_AUTO */
/* Driver-neutral facts a stable guest ABI needs: uuid, MACs; marks them as ours. */
int vm_domain_fill(struct vm_domain *d, struct vm_err *err);
/*
 * The document as define keeps it: carried over from the stored document (NULL: none), completed by a
 * driver's completer (NULL: none; driver.h), spliced into the admin's own text.  *ret_doc and *ret are new; the input is not changed.
 */
struct vm_completer;
int vm_domain_complete(const struct vm_xml *doc, const struct vm_xml *stored,
		       const struct vm_completer *completer, struct vm_xml **ret_doc,
		       struct vm_domain **ret, struct vm_err *err);

/* What vm-list and vm-info tell without reading XML: written into the index of a definition
 * (vm_index_write()) and into the record of a run.  Also uuid and title (state.h). */
#define VM_FACT_OS_TYPE	   "os_type"
#define VM_FACT_ARCH	   "arch"
#define VM_FACT_MACHINE	   "machine"
#define VM_FACT_EMULATOR   "emulator"
#define VM_FACT_VCPUS	   "vcpus"
#define VM_FACT_VCPUS_MAX  "vcpus_max"
#define VM_FACT_MEMORY	   "memory_bytes"
#define VM_FACT_MEMORY_MAX "memory_max_bytes"
#define VM_FACT_PORTS_FREE "hotplug_ports_free" /* absent: no PCI Express */
struct vm_record;
void vm_domain_facts(const struct vm_domain *d, struct vm_record *facts);
