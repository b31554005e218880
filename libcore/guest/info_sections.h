/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* The sections of vm-info, each declared where its data come from. */
#include "info.h"

/* info_host.c: from records and the kernel */
extern const struct vm_info_section vm_info_summary, vm_info_state, vm_info_cpu, vm_info_vcpus,
	vm_info_iothreads, vm_info_memory, vm_info_snapshots, vm_info_jobs, vm_info_processes,
	vm_info_confinement;
/* info_devices.c: from the document, with what the guest says of them */
extern const struct vm_info_section vm_info_disks, vm_info_interfaces, vm_info_hostdevs, vm_info_ports,
	vm_info_graphics, vm_info_consoles, vm_info_agent;

/* Loads live.xml or the definition, once. */
int vm_info_load(struct vm_info *i, struct vm_err *err);
