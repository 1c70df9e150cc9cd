// The container image that tasks run: by `repository:tag` from this account's registry, or by a whole name from another.

import { Stack } from "aws-cdk-lib";
import * as ecr from "aws-cdk-lib/aws-ecr";
import * as ecs from "aws-cdk-lib/aws-ecs";
import type { Construct } from "constructs";

const OF_AMAZON = /^(\d{12})\.dkr\.ecr\.([\w-]+)\.amazonaws\.com\/(.+)$/;

export function containerImage(scope: Construct, id: string, name: string): ecs.ContainerImage {
  const amazon = OF_AMAZON.exec(name);
  if (amazon !== null) {
    const [, account, region, rest] = amazon;
    const { repository, tag } = split(rest!);
    return ecs.ContainerImage.fromEcrRepository(
      ecr.Repository.fromRepositoryAttributes(scope, id, {
        repositoryName: repository,
        repositoryArn: Stack.of(scope).formatArn({ service: "ecr", account: account!, region: region!, resource: "repository", resourceName: repository }),
      }),
      tag,
    );
  }
  // A registry's host has a dot or a port in it, as docker reads names.
  if (/^[^/]*[.:][^/]*\//.test(name)) {
    return ecs.ContainerImage.fromRegistry(name);
  }
  const { repository, tag } = split(name);
  return ecs.ContainerImage.fromEcrRepository(ecr.Repository.fromRepositoryName(scope, id, repository), tag);
}

export function split(name: string): { repository: string; tag: string } {
  const at = name.lastIndexOf(":");
  if (at <= 0 || at === name.length - 1) {
    throw new Error(`image: ${JSON.stringify(name)} names no tag; write REPOSITORY:TAG, so that it is known what runs`);
  }
  return { repository: name.slice(0, at), tag: name.slice(at + 1) };
}
