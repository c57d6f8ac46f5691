import { type LaneTemplate, type Spec, templateOf } from '@headgate/rollout';
import { configMapsIn, podTemplateIn, type Rendering, renderManifests } from './manifests.ts';

/**
 * What a lane of this app runs with: env and replicas of headgate.yaml and, on Kubernetes, the pod templates of the services' manifests. It
 * is part of the revision and travels with the order, so that who drives needs neither checkout nor kubectl.
 * @throws {HeadgateError} `TOOL_MISSING`, `MANIFESTS_INVALID`
 */
export async function renderTemplate(spec: Spec, rendering: Rendering, signal: AbortSignal): Promise<LaneTemplate> {
  const plain = templateOf(spec);
  if (spec.kubernetes === undefined) return plain;
  const services = await Promise.all(
    Object.entries(plain.services).map(async ([service, template]) => {
      const folder = spec.services[service]?.manifests;
      if (folder === undefined) return [service, template] as const;
      const manifests = await renderManifests({ service, folder }, rendering, signal);
      const podTemplate = podTemplateIn(manifests);
      const configMaps = configMapsIn(manifests);
      const config = configMaps.length === 0 ? {} : { configMaps };
      return [service, { ...template, podTemplate, ...config }] as const;
    }),
  );
  return { services: Object.fromEntries(services) };
}
