4:memory:/
3:devices:/system.slice
2:cpu,cpuacct:/
1:name=systemd:/system.slice/ssh.service
0::/system.slice/ssh.service
