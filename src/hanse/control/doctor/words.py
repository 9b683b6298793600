"""What the link check says of a finding: its cause and its remedy, in English and Chinese."""

from typing import NamedTuple


class Words(NamedTuple):
    """Both have `en` and `zh`."""

    cause: dict[str, str]
    remedy: dict[str, str]


def _read(catalogue: str) -> dict[str, Words]:
    """Read blocks of five lines: code, then cause and remedy, each in English and Chinese."""
    blocks = (block.splitlines() for block in catalogue.strip().split("\n\n"))
    return {
        code: Words({"en": cause_en, "zh": cause_zh}, {"en": remedy_en, "zh": remedy_zh})
        for code, cause_en, cause_zh, remedy_en, remedy_zh in blocks
    }


WORDS = _read("""
address.none
The member dials this node; it has not said where it can be dialled.
该成员会主动连接本节点，但未告知可连接的地址。
Nothing is wrong while it is connected. Else run the check on its side.
若其已连接则无需处理；否则请在对方一侧运行检查。

address.refused
The name leads to an address that nobody may dial from here.
该名称指向本节点不允许连接的地址。
Ask the partner for its right address.
请向合作方索取正确地址。

address.unknown
The name has no address.
该名称无法解析为地址。
Check the spelling, and the DNS server of this machine.
请检查拼写以及本机的 DNS 服务器。

address.unreadable
This is no address.
地址格式不正确。
Write host:port.
请按 主机:端口 的格式填写。

bandwidth.low
The link carries little.
链路带宽较低。
Large tasks will take long. Ask for more, or look for a limit at the firewall or VPN.
大型任务将耗时较长；请扩容，或检查防火墙、VPN 是否限速。

body.cut
Something on the way cuts what is longer than this.
链路中有设备截断了超过此长度的数据。
Raise the size limit and the time-outs of the proxy or firewall in between, or let it pass TCP through.
请调高中间代理或防火墙的大小限制与超时，或改为 TCP 透传。

certificate.ending
The certificate ends soon.
证书即将到期。
The other node renews it by itself while it runs; otherwise `hanse node renew` there.
对方节点运行时会自动续期；否则请在对方执行 `hanse node renew`。

certificate.expired
The certificate is not valid now.
证书当前无效。
Check the clocks of both machines, then `hanse node renew` on the other side.
请检查双方机器时钟，然后在对方执行 `hanse node renew`。

certificate.foreign
The certificate is not one of this partner: another machine answers, or a proxy opens the encryption.
证书不属于该合作方：应答的是其他机器，或有代理在中间解密。
Let the proxy or firewall pass this port through unopened (TCP), and check the address.
请让代理或防火墙对该端口做 TCP 透传、不要解密，并核对地址。

clock.skewed
The two clocks differ.
两侧时钟不一致。
Let both machines follow a time server (NTP).
请让两侧机器同步时间服务器（NTP）。

echo.absent
The node there does not know the link check; its release is older.
对方节点不支持链路检查，版本较旧。
Update it to measure more than the connection.
请升级对方版本以测量更多内容。

echo.answer
Something else than a node answers behind the certificate.
证书之后应答的不是节点程序。
Ask the partner what listens at this port.
请向合作方确认该端口上的服务。

echo.busy
Too many checks were made of late.
近期检查过于频繁。
Wait a minute and check again.
请稍等一分钟后重试。

echo.cut
The other side ends the connection after the handshake.
对方在握手后断开了连接。
Ask its administrator whether this organisation is a member there, and whether a proxy asks for another certificate.
请向对方管理员确认本组织是否仍为其成员，以及是否有代理要求其他证书。

echo.proxy
A proxy on the way asks for a password.
途中的代理要求身份验证。
Let it pass this port through.
请让代理放行该端口。

echo.refused
The other side does not listen to this organisation: not a member there, suspended or revoked.
对方不接受本组织：不是其成员，或已被暂停、吊销。
Ask its administrator.
请联系对方管理员。

frame.cut
A message of the largest size does not come through.
最大长度的消息无法通过。
Raise the size limit of WebSocket messages and the time-outs of the proxy in between.
请调高中间代理的 WebSocket 消息大小限制与超时。

latency.high
An answer takes long.
往返延迟较高。
Steps with many rounds will take long. Look for a VPN or proxy that makes a detour.
多轮交互的步骤将变慢；请检查 VPN 或代理是否绕路。

node.absent
What answers there is no node.
该地址上应答的不是节点。
Check the address, and that the node there is up.
请核对地址，并确认对方节点已启动。

release.differs
The two nodes run different releases.
双方节点版本不同。
Update the older one; components of different versions may refuse to run together.
请升级较旧的一方；不同版本的组件可能无法协同运行。

tcp.refused
The machine answers, but nothing listens at this port.
机器可达，但该端口无服务监听。
Check the port, and that the node there is up.
请核对端口，并确认对方节点已启动。

tcp.silent
Nothing answers: a firewall drops the packets, or the machine is off.
无应答：防火墙丢弃了数据包，或机器未开机。
Ask for this port to be opened from here to there.
请申请开通本机到对方该端口的网络访问。

tcp.unreachable
There is no way to this address.
无法到达该地址。
Check routes and VPN of this machine.
请检查本机路由与 VPN。

tls.failed
No encrypted connection comes about.
无法建立加密连接。
Check that the node's party port is dialled, and that no proxy stands in between.
请确认连接的是节点的合作方端口，且中间没有代理。

tls.plain_http
A server of plain HTTP answers: a proxy stands in between, or this is the wrong port.
应答的是明文 HTTP 服务：中间有代理，或端口错误。
Dial the node's party port, and let the proxy pass it through (TCP).
请连接节点的合作方端口，并让代理做 TCP 透传。

tls.version
The encryption is older than TLS 1.3.
加密协议低于 TLS 1.3。
A proxy stands in between, or something else than a node: let it pass the port through (TCP).
中间有代理，或应答的不是节点：请让其做 TCP 透传。

upgrade.refused
The connection cannot become a WebSocket.
连接无法升级为 WebSocket。
Let the proxy in between pass WebSocket upgrades, or TCP through.
请让中间代理支持 WebSocket 升级，或改为 TCP 透传。
""")
