// What the systems share: the network that tasks run in, the registry's repositories, and the topic of alarms. It is deployed
// first, since images have to be pushed before anything can run them.

import { CfnOutput, RemovalPolicy, Stack, type StackProps } from "aws-cdk-lib";
import * as ecr from "aws-cdk-lib/aws-ecr";
import * as iam from "aws-cdk-lib/aws-iam";
import * as sns from "aws-cdk-lib/aws-sns";
import { EmailSubscription } from "aws-cdk-lib/aws-sns-subscriptions";
import type { Construct } from "constructs";
import { split } from "../parts/image";
import { network, type Network } from "../parts/network";
import type { Settings } from "../settings";

export class BaseStack extends Stack {
  readonly network: Network;
  readonly topic: sns.Topic;

  constructor(scope: Construct, id: string, settings: Settings, props?: StackProps) {
    super(scope, id, { description: "imgmill: network, image repositories, alarms", ...props });
    this.network = network(this, settings.network);
    this.topic = new sns.Topic(this, "Alarms", { displayName: "imgmill", enforceSSL: true });
    this.topic.grantPublish(new iam.ServicePrincipal("cloudwatch.amazonaws.com"));
    if (settings.alarmEmail !== undefined) {
      this.topic.addSubscription(new EmailSubscription(settings.alarmEmail));
    }
    for (const [name, image] of Object.entries({ Image: settings.image, ProcessImage: settings.processImage })) {
      this.repository(name, image, settings.disposable);
    }
    new CfnOutput(this, "AlarmTopic", { value: this.topic.topicArn });
    new CfnOutput(this, "Subnets", { value: this.network.subnets.map((one) => one.subnetId).join(","), description: "IMGMILL_DRAIN_SUBNETS, -subnet" });
    new CfnOutput(this, "SecurityGroup", { value: this.network.securityGroup.securityGroupId, description: "IMGMILL_DRAIN_SECURITY_GROUPS, -security-group" });
  }

  /** A repository for images that are named without a registry. Tags stay what they are: what runs is known by its tag. */
  private repository(id: string, image: string, disposable: boolean): void {
    if (image.includes("/")) {
      return;
    }
    const made = new ecr.Repository(this, `${id}Repository`, {
      repositoryName: split(image).repository,
      imageScanOnPush: true,
      imageTagMutability: ecr.TagMutability.IMMUTABLE,
      lifecycleRules: [{ description: "The last twenty", maxImageCount: 20 }],
      removalPolicy: disposable ? RemovalPolicy.DESTROY : RemovalPolicy.RETAIN,
      emptyOnDelete: disposable,
    });
    new CfnOutput(this, `${id}RepositoryUri`, { value: made.repositoryUri });
  }
}
