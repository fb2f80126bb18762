# Copyright The Sallyport Authors
# SPDX-License-Identifier: Apache-2.0
#
# A node port that somebody else serves, without a socket: IPVS, as kube-proxy makes it for a NodePort.

exposed='"sallyport.dev/expose": "80:9080"'

# ipvs <node address> <server>
ipvs()
{
    ipvsadm --add-service --tcp-service "$1:80" --scheduler rr &&
        ipvsadm --add-server --tcp-service "$1:80" --real-server "$2:8080" --masquerading
}

claim "IPVS serves a node port, IPv4" ipvs 192.168.100.1 10.1.0.3
claim "ADD refuses it, and says who has it" says '"code":101.*IPVS serves 192\.168\.100\.1:80/tcp' call ADD 1 "$exposed"
nothing_is_left
ipvsadm --clear

claim "IPVS serves a node port, IPv6" ipvs '[fd00:100::1]' '[fd00:10:1::3]'
claim "ADD refuses that too" says '"code":101.*IPVS serves \[fd00:100::1\]:80/tcp' call ADD 1 "$exposed"
ipvsadm --clear

claim "IPVS serves another address, as for a ClusterIP" ipvs 10.96.0.1 10.1.0.3
claim "ADD" call ADD 1 "$exposed"
claim "doctor has nothing to say of it" fails says 'IPVS' sallyport doctor
claim "IPVS takes the node port later" ipvs 192.168.100.1 10.1.0.3
claim "doctor warns" says 'IPVS serves 192\.168\.100\.1:80/tcp' sallyport doctor
ipvsadm --clear
claim "DEL" call DEL 1
nothing_is_left
