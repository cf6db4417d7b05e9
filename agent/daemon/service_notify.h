/* agent/daemon/service_notify.h - telling a service manager how the daemon is. Source: sd_notify(3), "Standalone
 * implementation". */
#ifndef CELLROUTER_AGENT_DAEMON_SERVICE_NOTIFY_H
#define CELLROUTER_AGENT_DAEMON_SERVICE_NOTIFY_H

/* state: "READY=1", "RELOADING=1\nMONOTONIC_USEC=…", "STOPPING=1". Does nothing when there is no manager
 * ($NOTIFY_SOCKET); that nobody listens there is no error. */
void service_notify(const char *state);

#endif
