6:blkio,devices,memory,cpuacct,cpu,cpuset:/x
