// Where tasks run: a network that exists, or a small one of public subnets. It has no NAT gateway, since whatever is downloaded
// or stored would be paid for by the gigabyte there; S3 is reached through a gateway endpoint, which is free. Nothing can
// connect to a task from outside: the security group lets nothing in.

import * as ec2 from "aws-cdk-lib/aws-ec2";
import type { Construct } from "constructs";
import type { ExistingNetwork } from "../settings";

export interface Network {
  readonly vpc: ec2.IVpc;
  readonly subnets: ec2.ISubnet[];
  readonly securityGroup: ec2.ISecurityGroup;
  readonly publicIp: boolean;
}

export function network(scope: Construct, existing?: ExistingNetwork): Network {
  const vpc = existing === undefined ? made(scope) : found(scope, existing);
  const securityGroup =
    existing?.securityGroupId === undefined
      ? new ec2.SecurityGroup(scope, "Outbound", { vpc, description: "imgmill: out to anywhere, in from nowhere" })
      : ec2.SecurityGroup.fromSecurityGroupId(scope, "Outbound", existing.securityGroupId, { mutable: false });
  return { vpc, subnets: vpc.publicSubnets, securityGroup, publicIp: existing?.publicIp ?? true };
}

function made(scope: Construct): ec2.IVpc {
  return new ec2.Vpc(scope, "Vpc", {
    maxAzs: 2,
    natGateways: 0,
    subnetConfiguration: [{ name: "Public", subnetType: ec2.SubnetType.PUBLIC, cidrMask: 20 }],
    gatewayEndpoints: { S3: { service: ec2.GatewayVpcEndpointAwsService.S3 } },
    restrictDefaultSecurityGroup: false,
  });
}

/** Whatever kind its subnets are, they are entered as public ones: `publicIp` alone says whether tasks get an address. */
function found(scope: Construct, existing: ExistingNetwork): ec2.IVpc {
  return ec2.Vpc.fromVpcAttributes(scope, "Vpc", {
    vpcId: existing.vpcId,
    availabilityZones: existing.availabilityZones,
    publicSubnetIds: existing.subnetIds,
  });
}
