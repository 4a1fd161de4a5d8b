/* How cards reach each other: MLULink by ports, and the PCI tree. */
#include "library.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * `links` of cards.conf: for each port the number of the card at its other end, "-" where the port is down and "x" where it
 * leads to a card of another machine, separated by commas.
 */
static const char *port_text(const struct board *board, cndevDevice_t device, int32_t port)
{
	const char *text = board_text(board, device, "links", "");
	if (!*text)
		return NULL;
	for (; port > 0; port--) {
		text = strchr(text, ',');
		if (!text)
			return NULL;
		text++;
	}
	return text + strspn(text, " ");
}

static int32_t ports(const struct board *board, cndevDevice_t device)
{
	int32_t count = 0;
	while (port_text(board, device, count))
		count++;
	return count;
}

int32_t cndevGetMLULinkPortNumber(cndevDevice_t device)
{
	struct call call;
	if (cndev_enter_card(&call, __func__, device))
		return -1;
	return call.fault.garbage ? 0x7fffffff : ports(call.board, device);
}

static cndevRet_t enter_port(struct call *call, const char *name, cndevDevice_t device, int32_t link, const void *out,
			     const int32_t *version)
{
	cndevRet_t code = cndev_enter_query(call, name, device, out, version);
	if (code)
		return code;
	return link >= 0 && link < ports(call->board, device) ? CNDEV_SUCCESS : CNDEV_ERROR_INVALID_LINK;
}

cndevRet_t cndevGetMLULinkStatusV2(cndevMLULinkStatusV2_t *status, cndevDevice_t device, int32_t link)
{
	struct call call;
	cndevRet_t code = enter_port(&call, __func__, device, link, status, NULL);
	if (code)
		return code;
	bool up = *port_text(call.board, device, link) != '-';
	*status = (cndevMLULinkStatusV2_t){
		.macState = up ? CNDEV_MAC_UP : CNDEV_MAC_DOWN, .serdesState = up, .presenceState = up};
	return cndev_leave(&call, status, sizeof *status);
}

cndevRet_t cndevGetMLULinkRemoteInfo(cndevMLULinkRemoteInfo_t *remote, cndevDevice_t device, int32_t link)
{
	struct call call;
	int peer;
	cndevRet_t code = enter_port(&call, __func__, device, link, remote, &remote->version);
	if (code)
		return code;
	const char *text = port_text(call.board, device, link);
	if (*text == '-')
		return CNDEV_ERROR_INVALID_LINK;
	*remote = (cndevMLULinkRemoteInfo_t){.version = remote->version, .portId = (uint32_t)link};
	const char *uuid = "ffffffff-0000-0000-0000-000000000000"; /* of another machine */
	if (sscanf(text, "%d", &peer) == 1) {
		uuid = board_text(call.board, peer, "uuid", "");
		remote->mcSn = (uint64_t)board_number(call.board, peer, "sn", 0);
		remote->baSn = (uint64_t)board_number(call.board, peer, "motherboard_sn", 0);
		remote->slotId = (uint32_t)peer;
	}
	snprintf((char *)remote->uuid, sizeof remote->uuid, "%s", uuid);
	return cndev_leave(&call, remote, sizeof *remote);
}

static int32_t relation(const struct board *board, int one, int other)
{
	if (one == other)
		return CNDEV_TOPOLOGY_SELF;
	long long sn = board_number(board, one, "sn", 0);
	if (sn && sn == board_number(board, other, "sn", 0))
		return CNDEV_TOPOLOGY_INTERNAL;
	long long numa = board_number(board, one, "numa", -1);
	if (numa != board_number(board, other, "numa", -1))
		return CNDEV_TOPOLOGY_SYSTEM;
	return numa < 0 ? CNDEV_TOPOLOGY_HOST_BRIDGE : CNDEV_TOPOLOGY_CPU;
}

cndevRet_t cndevTopologyGetRelationship(cndevTopologyRelationship_t *relationship, cndevDevice_t one, cndevDevice_t other)
{
	struct call call;
	cndevRet_t code = cndev_enter_query(&call, __func__, one, relationship, &relationship->version);
	if (code)
		return code;
	if (other < 0 || (unsigned)other >= board_cards(call.board))
		return CNDEV_ERROR_INVALID_DEVICE_ID;
	relationship->relation = relation(call.board, one, other);
	return cndev_leave(&call, relationship, sizeof *relationship);
}
