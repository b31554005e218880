/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* The sections of vm-info, each declared where its data come from. */
#include "info.h"

/* info_host.c: from records and the kernel */
extern const struct vm_info_section vm_info_summary, vm_info_state, vm_info_snapshots,
	vm_info_processes, vm_info_confinement;
/* info_live.c: what the running guest says of processors, memory and jobs */
extern const struct vm_info_section vm_info_cpu, vm_info_vcpus, vm_info_iothreads, vm_info_memory,
	vm_info_jobs;
/* info_devices.c: from the document, with what the guest says of them */
extern const struct vm_info_section vm_info_disks, vm_info_interfaces, vm_info_hostdevs, vm_info_ports,
	vm_info_graphics, vm_info_consoles, vm_info_agent;

/* QEMU's pid while its process is there, else 0. */
pid_t vm_info_pid(const struct vm_info *i);
