CREATE TABLE "channels" (
	"id" uuid PRIMARY KEY DEFAULT gen_random_uuid() NOT NULL,
	"number" text NOT NULL,
	"name" text NOT NULL,
	"group_title" text DEFAULT '' NOT NULL,
	"logo_url" text,
	"guide_id" text NOT NULL,
	"profile_id" uuid NOT NULL,
	"enabled" boolean DEFAULT true NOT NULL,
	"zone" text DEFAULT 'UTC' NOT NULL,
	"seed" integer DEFAULT 1 NOT NULL,
	"schedule" jsonb NOT NULL,
	"created_at" timestamp(3) with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp(3) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "channels_number_unique" UNIQUE("number"),
	CONSTRAINT "channels_guide_id_unique" UNIQUE("guide_id")
);
--> statement-breakpoint
CREATE TABLE "collection_media" (
	"collection_id" uuid NOT NULL,
	"position" integer NOT NULL,
	"media_id" uuid NOT NULL,
	CONSTRAINT "collection_media_collection_id_position_pk" PRIMARY KEY("collection_id","position")
);
--> statement-breakpoint
CREATE TABLE "collections" (
	"id" uuid PRIMARY KEY DEFAULT gen_random_uuid() NOT NULL,
	"name" text NOT NULL,
	"kind" text NOT NULL,
	"query" jsonb,
	"created_at" timestamp(3) with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp(3) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "collections_name_unique" UNIQUE("name")
);
--> statement-breakpoint
CREATE TABLE "libraries" (
	"id" uuid PRIMARY KEY DEFAULT gen_random_uuid() NOT NULL,
	"name" text NOT NULL,
	"path" text NOT NULL,
	"created_at" timestamp(3) with time zone DEFAULT now() NOT NULL,
	"scanned_at" timestamp(3) with time zone,
	CONSTRAINT "libraries_path_unique" UNIQUE("path")
);
--> statement-breakpoint
CREATE TABLE "media" (
	"id" uuid PRIMARY KEY DEFAULT gen_random_uuid() NOT NULL,
	"library_id" uuid NOT NULL,
	"path" text NOT NULL,
	"size" bigint NOT NULL,
	"mtime_ms" bigint NOT NULL,
	"state" text NOT NULL,
	"reason" text,
	"duration_ms" integer,
	"probe" jsonb,
	"kind" text NOT NULL,
	"title" text NOT NULL,
	"show" text,
	"season" integer,
	"episode" integer,
	"year" integer,
	"aired" text,
	"plot" text,
	"genres" text[] DEFAULT '{}'::text[] NOT NULL,
	"rating" text,
	"added_at" timestamp(3) with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp(3) with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "playout_checkpoints" (
	"channel_id" uuid NOT NULL,
	"at" timestamp(3) with time zone NOT NULL,
	"cursors" jsonb NOT NULL,
	CONSTRAINT "playout_checkpoints_channel_id_at_pk" PRIMARY KEY("channel_id","at")
);
--> statement-breakpoint
CREATE TABLE "playout_items" (
	"id" bigserial PRIMARY KEY NOT NULL,
	"channel_id" uuid NOT NULL,
	"starts_at" timestamp(3) with time zone NOT NULL,
	"ends_at" timestamp(3) with time zone NOT NULL,
	"kind" text NOT NULL,
	"media_id" uuid,
	"in_ms" integer,
	"out_ms" integer,
	"slot" text,
	"filler" text,
	"guide" integer,
	"why" jsonb
);
--> statement-breakpoint
CREATE TABLE "profiles" (
	"id" uuid PRIMARY KEY DEFAULT gen_random_uuid() NOT NULL,
	"name" text NOT NULL,
	"spec" jsonb NOT NULL,
	CONSTRAINT "profiles_name_unique" UNIQUE("name")
);
--> statement-breakpoint
CREATE TABLE "settings" (
	"key" text PRIMARY KEY NOT NULL,
	"value" jsonb NOT NULL
);
--> statement-breakpoint
ALTER TABLE "channels" ADD CONSTRAINT "channels_profile_id_profiles_id_fk" FOREIGN KEY ("profile_id") REFERENCES "public"."profiles"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "collection_media" ADD CONSTRAINT "collection_media_collection_id_collections_id_fk" FOREIGN KEY ("collection_id") REFERENCES "public"."collections"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "collection_media" ADD CONSTRAINT "collection_media_media_id_media_id_fk" FOREIGN KEY ("media_id") REFERENCES "public"."media"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "media" ADD CONSTRAINT "media_library_id_libraries_id_fk" FOREIGN KEY ("library_id") REFERENCES "public"."libraries"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "playout_checkpoints" ADD CONSTRAINT "playout_checkpoints_channel_id_channels_id_fk" FOREIGN KEY ("channel_id") REFERENCES "public"."channels"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "playout_items" ADD CONSTRAINT "playout_items_channel_id_channels_id_fk" FOREIGN KEY ("channel_id") REFERENCES "public"."channels"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "playout_items" ADD CONSTRAINT "playout_items_media_id_media_id_fk" FOREIGN KEY ("media_id") REFERENCES "public"."media"("id") ON DELETE set null ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "collection_media_media" ON "collection_media" USING btree ("media_id");--> statement-breakpoint
CREATE UNIQUE INDEX "media_library_path" ON "media" USING btree ("library_id","path");--> statement-breakpoint
CREATE INDEX "media_state_title" ON "media" USING btree ("state","title");--> statement-breakpoint
CREATE INDEX "media_show" ON "media" USING btree ("show","season","episode");--> statement-breakpoint
CREATE INDEX "playout_items_channel_ends" ON "playout_items" USING btree ("channel_id","ends_at");